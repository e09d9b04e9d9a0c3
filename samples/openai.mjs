// The official client of OpenAI on a Unix socket: node openai.mjs SOCKET CHAT-MODEL EMBEDDING-MODEL
// Prints a line of JSON for each call. `npm install` in this folder first.
import OpenAI from 'openai';
import { Agent, fetch } from 'undici';

const [socketPath, chatModel, embeddingModel] = process.argv.slice(2);

const client = new OpenAI({
  baseURL: 'http://localhost/v1',
  apiKey: 'the kernel says who asks', // The client wants one; Holdfast does not read it.
  fetch,
  fetchOptions: { dispatcher: new Agent({ connect: { socketPath } }) },
});

const print = (call, result) => console.log(JSON.stringify({ call, ...result }));

const messages = [
  { role: 'system', content: 'Be brief.' },
  { role: 'user', content: 'Turn on the light.' },
];

const answer = await client.chat.completions.create({ model: chatModel, messages, max_tokens: 16 });
print('chat', { text: answer.choices[0].message.content, model: answer.model, usage: answer.usage });

let streamed = '';
const stream = await client.chat.completions.create({
  model: chatModel,
  messages,
  max_tokens: 16,
  stream: true,
  stream_options: { include_usage: true },
});
let usage;
for await (const chunk of stream) {
  streamed += chunk.choices[0]?.delta?.content ?? '';
  usage = chunk.usage ?? usage;
}
print('stream', { text: streamed, usage });

const helper = client.chat.completions.stream({ model: chatModel, messages, max_tokens: 16 });
print('stream helper', { text: (await helper.finalMessage()).content });

const vectors = await client.embeddings.create({ model: embeddingModel, input: ['one text', 'another'] });
print('embeddings', { dimensions: vectors.data.map((each) => each.embedding.length), model: vectors.model });

const response = await client.responses.create({
  model: chatModel,
  instructions: 'Be brief.',
  input: 'Turn on the light.',
  max_output_tokens: 16,
});
print('responses', { text: response.output_text, status: response.status });

const events = [];
let text = '';
for await (const event of await client.responses.create({
  model: chatModel,
  input: 'Turn on the light.',
  max_output_tokens: 16,
  stream: true,
})) {
  events.push(event.type);
  if (event.type === 'response.output_text.delta') text += event.delta;
}
print('responses stream', { text, first: events[0], last: events.at(-1) });

print('models', { ids: (await client.models.list()).data.map((each) => each.id) });

try {
  await client.chat.completions.create({ model: 'gpt-99', messages });
} catch (error) {
  print('unknown model', { status: error.status, code: error.code, param: error.param });
}
