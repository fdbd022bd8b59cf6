// What the programs share: the database that clients_test.py made for each, and the page's own code.
import { readFileSync } from 'node:fs';

export const connection = { host: process.env.PGHOST, user: process.env.PGUSER, database: process.env.PGDATABASE };

// Runs the block of docs/integrations/node.md that has `text` in it; the constant `name` that it defines.
export function block(text, name) {
  const page = readFileSync(process.env.PAGE, 'utf8');
  const found = [...page.matchAll(/```javascript\n(.*?)```/gs)].map((match) => match[1]).filter((code) => code.includes(text));
  if (found.length !== 1) throw new Error(`${found.length} blocks with ${text}`);
  return new Function(`${found[0]}; return { ${name} };`)();
}
