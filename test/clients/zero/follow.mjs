// An application of Zero: answers zero-cache's question what a query is, and prints the client's view of it as a line, whenever it changes.
// usage: follow.mjs PORT_OF_ZERO_CACHE PORT_OF_QUERIES
import http from 'node:http';
import WebSocket from 'ws';
import {
  Zero, createBuilder, createSchema, defineQueries, defineQuery, json, mustGetQuery, number, string, table,
} from '@rocicorp/zero';
import {handleQueryRequest} from '@rocicorp/zero/server';

globalThis.WebSocket ??= WebSocket;
const [cachePort, queryPort] = process.argv.slice(2);

const item = table('tv_item')
  .columns({pk_item: number(), id: string(), since: number(), price: number().optional(), data: json()})
  .primaryKey('pk_item');
const price = table('tv_price').columns({pk_price: number(), items: number(), total: number().optional()}).primaryKey('pk_price');
const schema = createSchema({tables: [item, price]});
const builder = createBuilder(schema);
const queries = defineQueries({
  items: defineQuery(() => builder.tv_item.orderBy('pk_item', 'asc')),
  prices: defineQuery(() => builder.tv_price.orderBy('pk_price', 'asc')),
});

http.createServer(async (request, response) => {
  const parts = [];
  for await (const part of request) parts.push(part);
  const answer = await handleQueryRequest({
    handler: (name, args) => mustGetQuery(queries, name).fn({args, ctx: {}}),
    schema, userID: null, query: new URL(request.url, 'http://queries').searchParams, body: JSON.parse(Buffer.concat(parts)),
  });
  response.writeHead(200, {'content-type': 'application/json'}).end(JSON.stringify(answer));
}).listen(Number(queryPort), '127.0.0.1');

const zero = new Zero({schema, queries, kvStore: 'mem', cacheURL: `http://127.0.0.1:${cachePort}`, context: {}});
for (const name of Object.keys(queries).filter(name => name !== '~')) {
  const view = zero.materialize(queries[name]());
  view.addListener((rows, state) => {
    if (state === 'complete') process.stdout.write(`${JSON.stringify({name, rows})}\n`);
  });
}
// An error of the server's ends the connection for good; an application decides when to try again.
zero.connection.state.subscribe(state => {
  if (state.name === 'error') setTimeout(() => zero.connection.connect(), 1000);
});
