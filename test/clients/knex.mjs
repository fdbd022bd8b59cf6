// Migrations of Knex: one transaction creates a table, fills it, creates a TVIEW over it and alters the table; another fails.
import assert from 'node:assert/strict';
import knex from 'knex';
import { block, connection } from './page.mjs';

const database = knex({ client: 'pg', connection });
const { migration } = block('knex.schema', 'migration');
const failing = {
  up: async (knex) => {
    await knex.raw(`CREATE TABLE tv_title AS SELECT id, title AS data FROM book`);
    throw new Error('interrupted');
  },
  down: async () => {},
};
const source = (migrations) => ({
  migrationSource: {
    getMigrations: async () => Object.keys(migrations),
    getMigrationName: (name) => name,
    getMigration: async (name) => migrations[name],
  },
});

await database.migrate.latest(source({ first: migration }));
assert.deepEqual(await database('tv_book').select(), [{ id: 1, data: { title: 'Emma' } }]);
await database('book').insert({ title: 'Persuasion' });
assert.equal((await database('tv_book').select()).length, 2);

await assert.rejects(database.migrate.latest(source({ first: migration, second: failing })), /interrupted/);
assert.equal(await database.schema.hasTable('tv_title'), false);

// The type that the column has: neither the documents nor the table that holds them are written.
const node = `SELECT relfilenode FROM pg_class WHERE oid = 'tv_book'::regclass`;
const before = (await database.raw(node)).rows;
await database.schema.alterTable('book', (table) => { table.string('title', 60).notNullable().alter(); });
assert.deepEqual((await database.raw(node)).rows, before);

await database.migrate.rollback(source({ first: migration }));
assert.equal(await database.schema.hasTable('tv_book'), false);
await database.migrate.latest(source({ first: migration }));
await database.destroy();
