// Documents of a TVIEW over HTTP, with an ETag from the frontier, and their changes by Server-Sent Events.
//
// An event's id is a position of the durable feed. So a browser that comes back, after a restart of the gateway or
// of PostgreSQL, says where it was (Last-Event-ID) and gets what followed. What is kept here can be lost.
import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import Fastify from 'fastify';
import pg from 'pg';

const sessions = JSON.parse(process.env.SESSIONS ?? '{}'); // the cookie's value -> role; others are visitors
const secret = process.env.SECRET ?? 'the same for all gateways of a shop';
const lane = 'main'; // where TVIEWs with a feed are
const rowsPerRead = 500;
const retryMs = 200;
const page = readFileSync(new URL('page.html', import.meta.url));

const pool = new pg.Pool({ max: Number(process.env.POOL ?? 8) });
pool.on('error', (error) => app.log.warn(error)); // an idle connection has ended: the next query opens another
const app = Fastify({ logger: { level: process.env.LOG_LEVEL ?? 'info' }, forceCloseConnections: true });
const clients = new Set();

// One snapshot for everything that `work` reads.
async function inSnapshot(work) {
  const client = await pool.connect();
  let failure;
  try {
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY');
    const result = await work(client);
    await client.query('COMMIT');
    return result;
  } catch (error) {
    failure = error;
    throw error;
  } finally {
    client.release(failure); // after an error the connection is closed, and with it the role that it had
  }
}

// Until the end of the transaction.
const actAs = (client, role) => client.query("SELECT set_config('role', $1, true)", [role]);

const roleOf = (request) => {
  const cookie = /(?:^|;\s*)session=([^;]+)/.exec(request.headers.cookie ?? '');
  return (cookie && Object.hasOwn(sessions, cookie[1]) && sessions[cookie[1]]) || 'visitor';
};

// What names a document to those who have seen it, and nothing to others: for documents that are gone, or hidden.
const tagOf = (id) => createHmac('sha256', secret).update(id).digest('base64url').slice(0, 22);

// Where everything stands: the frontier for ETags, the feed's last position for event ids.
async function standing(client, role) {
  const { rows } = await client.query('SELECT snapshot::text AS frontier, pg_tviews_feed_end() AS position FROM pg_tview_frontier WHERE lane = $1', [lane]);
  return { etag: `W/"${createHmac('sha256', secret).update(`${role} ${rows[0].frontier}`).digest('base64url')}"`, position: rows[0].position };
}

// Documents as `role` sees them; nobody is told that there are others.
async function answer(request, reply, read) {
  const role = roleOf(request);
  const found = await inSnapshot(async (client) => {
    const { etag, position } = await standing(client, role);
    reply.headers({ etag, vary: 'Cookie', 'cache-control': 'private, no-cache' });
    if (request.headers['if-none-match'] === etag) return null;
    await actAs(client, role);
    return read(client, position);
  });
  if (found === null) return reply.code(304).send();
  if (found === undefined) return reply.code(404).send({ error: 'no such product' });
  return found;
}

app.get('/', async (request, reply) => reply.type('text/html').send(page));

app.get('/products', (request, reply) => answer(request, reply, async (client, position) => {
  const { rows } = await client.query("SELECT id, data FROM my_product ORDER BY data ->> 'name', id");
  return { position, products: rows.map(({ id, data }) => ({ tag: tagOf(id), data })) };
}));

const byId = { params: { type: 'object', properties: { id: { type: 'string', format: 'uuid' } } } };
app.get('/products/:id', { schema: byId }, (request, reply) => answer(request, reply, async (client) => {
  const { rows } = await client.query('SELECT data FROM my_product WHERE id = $1', [request.params.id]);
  return rows[0]?.data;
}));

// What follows `after` in the feed, as `role` sees it: each changed document once, as it is now, under the last of its
// positions. In the order of these, so that whoever was interrupted goes on after the last event that arrived.
const readChanges = (after, role) => inSnapshot(async (client) => {
  const feed = await client.query(
    `SELECT position, id FROM pg_tviews_feed WHERE tview = 'tv_product'::regclass AND position > $1 ORDER BY position LIMIT $2`,
    [after, rowsPerRead]);
  const { rows: [horizon] } = await client.query(
    'SELECT removed_through > $1::bigint AS passed, $1::bigint > pg_tviews_feed_end() AS is_ahead, pg_tviews_feed_end() AS position'
    + ' FROM pg_tview_feed_horizon', [after]);
  if (horizon.passed || horizon.is_ahead) return { reset: horizon.position };
  const last = new Map();
  for (const { id, position } of feed.rows) {
    last.delete(id);
    last.set(id, position);
  }
  await actAs(client, role);
  const documents = await client.query('SELECT id, data FROM my_product WHERE id = ANY ($1::uuid[])', [[...last.keys()]]);
  const seen = new Map(documents.rows.map(({ id, data }) => [id, data]));
  return {
    more: feed.rowCount === rowsPerRead,
    events: [...last].map(([id, position]) => ({ id: position, tag: tagOf(id), data: seen.get(id) ?? null })),
  };
});

const pause = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

// One browser. Its loop sleeps until the feed has news; where PostgreSQL cannot be asked, it asks again.
class Client {
  constructor(stream, role, position) {
    Object.assign(this, { stream, role, position, isOpen: true, hasNews: true });
    stream.on('close', () => {
      this.isOpen = false;
      clients.delete(this);
      this.wake();
    });
  }

  wake() {
    this.hasNews = true;
    this.alarm?.();
  }

  async send(event, position, data) {
    const text = `event: ${event}\nid: ${position}\ndata: ${JSON.stringify(data)}\n\n`;
    this.position = position;
    if (this.stream.write(text) || !this.isOpen) return;
    await new Promise((resolve) => { // a slow reader is waited for
      const goOn = () => {
        this.stream.off('drain', goOn).off('close', goOn);
        resolve();
      };
      this.stream.on('drain', goOn).on('close', goOn);
    });
  }

  async tell() {
    const changes = await readChanges(this.position, this.role);
    if (changes.reset !== undefined) return this.send('reset', changes.reset, {}); // it reads everything anew
    for (const { id, tag, data } of changes.events) {
      await this.send(data === null ? 'gone' : 'changed', id, data === null ? { tag } : { tag, data });
    }
    if (changes.more) this.hasNews = true;
  }

  async follow() {
    while (this.isOpen) {
      if (!this.hasNews) await new Promise((resolve) => { this.alarm = resolve; });
      this.hasNews = false;
      try {
        if (this.isOpen) await this.tell();
      } catch (error) {
        app.log.warn(error);
        this.hasNews = true;
        await pause(retryMs);
      }
    }
  }
}

app.get('/events', (request, reply) => {
  const after = request.headers['last-event-id'] ?? request.query.after ?? '';
  if (!/^\d{1,18}$/.test(after)) return reply.code(400).send({ error: 'after: the position that /products gave' });
  reply.hijack();
  reply.raw.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store', 'x-accel-buffering': 'no' });
  reply.raw.write(`retry: ${retryMs}\n\n`);
  const client = new Client(reply.raw, roleOf(request), after);
  clients.add(client);
  client.follow();
});

const wakeAll = () => clients.forEach((client) => client.wake());
setInterval(() => clients.forEach((client) => client.stream.write(': still here\n\n')), 15000).unref(); // proxies close what is silent

// Notifications only wake: what they would have told while nobody listened is in the feed.
async function listen() {
  for (;;) {
    const listener = new pg.Client();
    const ended = new Promise((resolve) => { listener.on('end', resolve).on('error', resolve); });
    try {
      await listener.connect();
      listener.on('notification', wakeAll);
      await listener.query('LISTEN tv_product');
      wakeAll();
      await ended;
    } catch (error) {
      app.log.warn(error);
    }
    listener.end().catch(() => {}); // it has ended already
    await pause(retryMs);
  }
}

listen();
await app.listen({ host: process.env.HOST ?? '127.0.0.1', port: Number(process.env.PORT ?? 8080) });
