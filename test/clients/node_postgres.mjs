// Prepared statements of node-postgres while sources and TVIEW change.
import assert from 'node:assert/strict';
import pg from 'pg';
import { connection } from './page.mjs';

const client = new pg.Client(connection);
await client.connect();
await client.query(`CREATE TABLE book (id int PRIMARY KEY, title varchar(30) NOT NULL)`);
await client.query(`CREATE TABLE tv_book AS SELECT id, title, jsonb_build_object('title', title) AS data FROM book`);
const read = async () => (await client.query({ name: 'read', text: 'SELECT data FROM tv_book WHERE id = $1', values: [1] })).rows;
const all = () => client.query({ name: 'all', text: 'SELECT * FROM tv_book' });

// More often than it takes PostgreSQL to choose a plan for every value: each read shows the session's own write.
for (let count = 0; count < 12; count += 1) {
  await client.query({ name: 'write', text: `INSERT INTO book VALUES (1, $1) ON CONFLICT (id) DO UPDATE SET title = excluded.title`,
    values: [`Emma ${count}`] });
  assert.deepEqual(await read(), [{ data: { title: `Emma ${count}` } }]);
}
await all();
await client.query('ALTER TABLE book ALTER COLUMN title TYPE varchar(60)');
assert.equal((await read()).length, 1);
await client.query(`SELECT pg_tviews_replace('book',
  $$SELECT id, title, jsonb_build_object('title', title, 'id', id) AS data, length(title) AS size FROM book$$)`);
assert.deepEqual(await read(), [{ data: { title: 'Emma 11', id: 1 } }]);
await assert.rejects(all(), /cached plan must not change result type/);
await client.end();
