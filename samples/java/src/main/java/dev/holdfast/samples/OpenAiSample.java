package dev.holdfast.samples;

import com.fasterxml.jackson.databind.json.JsonMapper;
import com.openai.client.OpenAIClient;
import com.openai.client.okhttp.OpenAIOkHttpClient;
import com.openai.core.http.StreamResponse;
import com.openai.errors.NotFoundException;
import com.openai.models.chat.completions.ChatCompletion;
import com.openai.models.chat.completions.ChatCompletionChunk;
import com.openai.models.chat.completions.ChatCompletionCreateParams;
import com.openai.models.embeddings.EmbeddingCreateParams;
import com.openai.models.responses.ResponseCreateParams;
import com.openai.models.responses.ResponseStreamEvent;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/**
 * The official client of OpenAI for Java through {@code holdfast bridge}. Arguments: what the bridge prints as its URL, its token file,
 * a model that chats, a model that embeds. Prints a line of JSON for each call.
 */
public final class OpenAiSample {
    private OpenAiSample() {}

    public static void main(String[] args) throws Exception {
        String chat = args[2];
        OpenAIClient client = OpenAIOkHttpClient.builder()
                .baseUrl(args[0])
                .apiKey(Files.readString(Path.of(args[1])).strip())
                .build();
        try {
            chat(client, chat);
            embed(client, args[3]);
            respond(client, chat);
            try {
                client.chat().completions().create(question("gpt-99"));
            } catch (NotFoundException e) {
                print(
                        "unknown model",
                        Map.of("status", e.statusCode(), "code", e.code().orElse("")));
            }
        } finally {
            client.close();
        }
    }

    private static ChatCompletionCreateParams question(String model) {
        return ChatCompletionCreateParams.builder()
                .model(model)
                .addSystemMessage("Be brief.")
                .addUserMessage("Turn on the light.")
                .maxCompletionTokens(16)
                .build();
    }

    private static void chat(OpenAIClient client, String model) throws Exception {
        ChatCompletion answer = client.chat().completions().create(question(model));
        print(
                "chat",
                Map.of("text", answer.choices().getFirst().message().content().orElse(""), "model", answer.model()));

        try (StreamResponse<ChatCompletionChunk> stream =
                client.chat().completions().createStreaming(question(model))) {
            String text = stream.stream()
                    .flatMap(chunk -> chunk.choices().stream())
                    .flatMap(choice -> choice.delta().content().stream())
                    .collect(Collectors.joining());
            print("stream", Map.of("text", text));
        }
    }

    private static void embed(OpenAIClient client, String model) throws Exception {
        List<Integer> dimensions = client
                .embeddings()
                .create(EmbeddingCreateParams.builder()
                        .model(model)
                        .inputOfArrayOfStrings(List.of("one text", "another"))
                        .build())
                .data()
                .stream()
                .map(each -> each.embedding().size())
                .toList();
        print("embeddings", Map.of("dimensions", dimensions));
    }

    private static void respond(OpenAIClient client, String model) throws Exception {
        ResponseCreateParams question = ResponseCreateParams.builder()
                .model(model)
                .instructions("Be brief.")
                .input("Turn on the light.")
                .maxOutputTokens(16)
                .build();
        String text = client.responses().create(question).output().stream()
                .flatMap(item -> item.message().stream())
                .flatMap(message -> message.content().stream())
                .flatMap(content -> content.outputText().stream())
                .map(part -> part.text())
                .collect(Collectors.joining());
        print("responses", Map.of("text", text));

        try (StreamResponse<ResponseStreamEvent> stream = client.responses().createStreaming(question)) {
            String streamed = stream.stream()
                    .flatMap(event -> event.outputTextDelta().stream())
                    .map(delta -> delta.delta())
                    .collect(Collectors.joining());
            print("responses stream", Map.of("text", streamed));
        }
    }

    private static void print(String call, Map<String, Object> result) throws Exception {
        Map<String, Object> line = new LinkedHashMap<>(Map.of("call", call));
        line.putAll(result);
        System.out.println(new JsonMapper().writeValueAsString(line));
    }
}
