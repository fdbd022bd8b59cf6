// Two browsers before the gateway's page, each with a session of its own. Reads commands, a line each, from the test that
// started it: any line is answered with what the pages show and which events they have had.
import { createInterface } from 'node:readline';
import puppeteer from 'puppeteer-core';

const url = process.argv[2];
const sessions = ['', 'ann'];
const browsers = await Promise.all(sessions.map(() => puppeteer.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox', '--disable-dev-shm-usage'] })));
const pages = await Promise.all(browsers.map(async (browser, i) => {
  if (sessions[i]) await browser.setCookie({ name: 'session', value: sessions[i], url, domain: new URL(url).hostname });
  const page = await browser.newPage();
  await page.goto(url);
  return page;
}));
const look = () => Promise.all(pages.map((page) => page.evaluate(() => ({
  state: document.getElementById('state').textContent,
  shown: [...document.querySelectorAll('#products li')].map((item) => [item.data.name, item.data.cents]).sort(),
  log: window.log,
}))));
process.stdout.write('ready\n');
for await (const line of createInterface({ input: process.stdin })) {
  if (line === 'picture') await pages[1].screenshot({ path: process.env.PICTURE });
  process.stdout.write(`${JSON.stringify(await look())}\n`);
}
await Promise.all(browsers.map((browser) => browser.close()));
