// What the tests of the page share: the stand (stand.c), a browser, and pages that complain to `complaints`.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, afterEach, before, beforeEach } from 'node:test';
import { chromium } from 'playwright-core';

const STAND = process.env.STAND;
const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';
const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync'];
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
export const MACHINE = '#machines > li';

export class Stand {
  async start(dir, port) {
    this.child = spawn(STAND, [dir, String(port)], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.answers = createInterface({ input: this.child.stdout })[Symbol.asyncIterator]();
    this.port = Number((await this.answers.next()).value);
    assert.ok(this.port > 0, 'the stand started');
    return this;
  }

  async order(line) {
    this.child.stdin.write(`${line}\n`);
    const answer = (await this.answers.next()).value;
    assert.match(answer, /^(ok|\/.*)$/, line);
    return answer;
  }

  // Without a word to anybody, as a crash would.
  async kill() {
    const gone = once(this.child, 'exit');
    this.child.kill('SIGKILL');
    await gone;
  }

  async stop() {
    if (this.child.exitCode === null && this.child.signalCode === null) {
      const gone = once(this.child, 'exit');
      this.child.stdin.end();
      const [code] = await gone;
      assert.equal(code, 0, 'the stand ended well');
    }
  }
}

// What each test finds: a stand, an empty browser with one page, and what that page complained about.
export const world = { browser: null, dir: '', stand: null, context: null, page: null, complaints: [] };

export async function openPage() {
  const page = await world.context.newPage();
  page.on('console', (message) => world.complaints.push(message.text()));
  page.on('pageerror', (error) => world.complaints.push(String(error)));
  page.on('dialog', (dialog) => { world.complaints.push(`dialog ${dialog.message()}`); dialog.dismiss(); });
  return page;
}

export async function openBrowser(options = {}) {
  world.context = await world.browser.newContext({ ignoreHTTPSErrors: true, ...options });
  world.page = await openPage();
}

// `begin` starts what stands behind the page: it can be stopped.
export function prepare(begin = (dir) => new Stand().start(dir, 0)) {
  before(async () => {
    world.browser = await chromium.launch({ executablePath: CHROMIUM, args: FLAGS });
  });
  after(() => world.browser.close());
  beforeEach(async () => {
    world.dir = mkdtempSync(join(tmpdir(), 'sallyport-page-'));
    world.stand = await begin(world.dir);
    world.complaints = [];
    await openBrowser();
  });
  afterEach(async () => {
    await world.context.close();
    await world.stand.stop();
    rmSync(world.dir, { recursive: true });
  });
}

export const base = (host = 'localhost') => `https://${host}:${world.stand.port}`;

export async function logIn(name = 'ada', host = 'localhost') {
  await world.page.goto(base(host) + await world.stand.order(`login ${name}`));
  await world.page.waitForFunction(() => document.getElementById('user')?.textContent);
}

// Another tab of the same browser, when its machines are there.
export async function openTab() {
  const tab = await openPage();
  await tab.goto(base());
  await tab.waitForSelector(MACHINE);
  return tab;
}

export const card = (name, page = world.page) =>
  page.locator(MACHINE).filter({ has: page.getByRole('heading', { name, exact: true }) });

// What axe finds wrong with the page, and by how much it is too wide.
export async function check(what) {
  const { page } = world;
  await page.evaluate(AXE);
  const result = await page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }));
  const wrong = result.violations.map((one) => `${one.id}: ${one.nodes.map((node) => node.target).join(', ')}`);
  assert.deepEqual(wrong, [], what);
  const [over, wide] = await page.evaluate(() => [document.documentElement.scrollWidth - window.innerWidth,
    [...document.querySelectorAll('body *')].filter((node) => node.getBoundingClientRect().right > window.innerWidth)
      .map((node) => `${node.tagName} ${node.className} ${node.id}`)]);
  assert.ok(over <= 0, `${what} is ${over} px too wide: ${wide.slice(0, 9)}`);
}
