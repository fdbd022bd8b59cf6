// drizzle-kit push beside TVIEWs: with the page's filter it leaves them alone, and without it it would drop them.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import pg from 'pg';
import { block, connection } from './page.mjs';

const { config } = block('tablesFilter', 'config');
const push = (length, filter, ...options) => {
  writeFileSync('drizzle-schema.mjs', `import { pgTable, serial, varchar } from 'drizzle-orm/pg-core';
export const book = pgTable('book', { id: serial('id').primaryKey(), title: varchar('title', { length: ${length} }).notNull() });
`);
  writeFileSync('drizzle.config.json', JSON.stringify({ ...config, schema: './drizzle-schema.mjs', tablesFilter: filter,
    dbCredentials: { host: connection.host, user: connection.user, database: connection.database, ssl: false } }));
  return execFileSync('npx', ['--no-install', 'drizzle-kit', 'push', '--config', 'drizzle.config.json', ...options],
    { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
};

const client = new pg.Client(connection);
await client.connect();
const documents = async () => (await client.query('SELECT id, data FROM tv_book')).rows;
push(30, config.tablesFilter, '--force');
await client.query(`CREATE TABLE tv_book AS SELECT id, jsonb_build_object('title', title) AS data FROM book`);
await client.query(`INSERT INTO book (title) VALUES ('Emma')`);
assert.match(push(30, config.tablesFilter, '--force'), /No changes detected/);
assert.match(push(60, config.tablesFilter, '--force'), /Changes applied/);
assert.deepEqual(await documents(), [{ id: 1, data: { title: 'Emma' } }]);

assert.match(push(60, undefined, '--verbose'), /DROP TABLE "tv_book"/); // It asks, and has no terminal for the answer.
assert.deepEqual(await documents(), [{ id: 1, data: { title: 'Emma' } }]);
await client.end();
