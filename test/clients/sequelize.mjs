// Sequelize's sync: `alter` sends ALTER TYPE to the type that is there, `force` drops with CASCADE.
import assert from 'node:assert/strict';
import { DataTypes, Sequelize } from 'sequelize';
import { connection } from './page.mjs';

const database = new Sequelize(connection.database, connection.user, '', {
  host: connection.host, dialect: 'postgres', logging: false,
});
const shape = (length) => ({
  id: { type: DataTypes.INTEGER, primaryKey: true, autoIncrement: true },
  title: { type: DataTypes.STRING(length), allowNull: false },
});
const options = { timestamps: false, freezeTableName: true };
const create = `CREATE TABLE tv_book AS SELECT id, jsonb_build_object('title', title) AS data FROM book`;
const documents = () => database.query('SELECT id, data FROM tv_book ORDER BY id', { type: 'SELECT' });

let Book = database.define('book', shape(30), options);
await database.sync({ force: true });
await Book.create({ title: 'Emma' });
await database.query(create);
await database.sync({ alter: true });
assert.deepEqual(await documents(), [{ id: 1, data: { title: 'Emma' } }]);

Book = database.define('book', shape(60), options);
await database.sync({ alter: true });
await Book.create({ title: 'The Life and Opinions of Tristram Shandy, Gentleman' });
assert.equal((await documents()).length, 2);

await database.sync({ force: true });
assert.deepEqual(await database.query(`SELECT to_regclass('tv_book') AS table, to_regclass('v_book') AS view`,
  { type: 'SELECT' }), [{ table: null, view: null }]);
await Book.create({ title: 'Persuasion' });
await database.query(create);
await database.close();
