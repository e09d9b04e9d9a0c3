package dev.holdfast.samples;

import com.fasterxml.jackson.databind.json.JsonMapper;
import dev.langchain4j.data.message.ChatMessage;
import dev.langchain4j.data.message.SystemMessage;
import dev.langchain4j.data.message.UserMessage;
import dev.langchain4j.data.segment.TextSegment;
import dev.langchain4j.model.chat.response.ChatResponse;
import dev.langchain4j.model.chat.response.StreamingChatResponseHandler;
import dev.langchain4j.model.openai.OpenAiChatModel;
import dev.langchain4j.model.openai.OpenAiEmbeddingModel;
import dev.langchain4j.model.openai.OpenAiStreamingChatModel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;

/**
 * LangChain4j through {@code holdfast bridge}, since the JDK's HTTP client knows no Unix sockets. Arguments: what the bridge prints as
 * its URL, its token file, a model that chats, a model that embeds. Prints a line of JSON for each call.
 */
public final class LangChain4jSample {
    private static final List<ChatMessage> QUESTION =
            List.of(SystemMessage.from("Be brief."), UserMessage.from("Turn on the light."));

    private LangChain4jSample() {}

    public static void main(String[] args) throws Exception {
        String url = args[0];
        String token = Files.readString(Path.of(args[1])).strip();

        ChatResponse answer = OpenAiChatModel.builder()
                .baseUrl(url)
                .apiKey(token)
                .modelName(args[2])
                .maxTokens(16)
                .build()
                .chat(QUESTION);
        print("chat", Map.of("text", answer.aiMessage().text(), "model", answer.modelName()));

        StringBuilder pieces = new StringBuilder();
        CompletableFuture<ChatResponse> whole = new CompletableFuture<>();
        OpenAiStreamingChatModel.builder()
                .baseUrl(url)
                .apiKey(token)
                .modelName(args[2])
                .maxTokens(16)
                .build()
                .chat(QUESTION, new StreamingChatResponseHandler() {
                    @Override
                    public void onPartialResponse(String piece) {
                        pieces.append(piece);
                    }

                    @Override
                    public void onCompleteResponse(ChatResponse response) {
                        whole.complete(response);
                    }

                    @Override
                    public void onError(Throwable error) {
                        whole.completeExceptionally(error);
                    }
                });
        ChatResponse last = whole.get(60, TimeUnit.SECONDS);
        print("stream", Map.of("text", pieces.toString(), "finish", String.valueOf(last.finishReason())));

        List<Integer> dimensions = OpenAiEmbeddingModel.builder()
                .baseUrl(url)
                .apiKey(token)
                .modelName(args[3])
                .build()
                .embedAll(List.of(TextSegment.from("one text"), TextSegment.from("another")))
                .content()
                .stream()
                .map(embedding -> embedding.vector().length)
                .toList();
        print("embeddings", Map.of("dimensions", dimensions));
    }

    private static void print(String call, Map<String, Object> result) throws Exception {
        Map<String, Object> line = new LinkedHashMap<>(Map.of("call", call));
        line.putAll(result);
        System.out.println(new JsonMapper().writeValueAsString(line));
    }
}
