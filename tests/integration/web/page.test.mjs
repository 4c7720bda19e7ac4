// The page of machines in a real Chromium, in front of the real web code with made-up machines behind it (stand.c).
// Wants STAND (the program) and, when it lies elsewhere than in Debian, CHROMIUM.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { chromium } from 'playwright-core';

const STAND = process.env.STAND;
const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';
const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync'];
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const MACHINE = '#machines > li';

class Stand {
  async start(dir, port) {
    this.child = spawn(STAND, [dir, String(port)], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.answers = createInterface({ input: this.child.stdout })[Symbol.asyncIterator]();
    this.port = Number((await this.answers.next()).value);
    assert.ok(this.port > 0, 'the stand started');
    return this;
  }

  async order(line) {
    this.child.stdin.write(`${line}\n`);
    return (await this.answers.next()).value;
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

let browser;
let dir;
let stand;
let context;
let page;
let complaints;

before(async () => {
  browser = await chromium.launch({ executablePath: CHROMIUM, args: FLAGS });
});

after(async () => {
  await browser.close();
});

async function open(options = {}) {
  context = await browser.newContext({ ignoreHTTPSErrors: true, ...options });
  page = await context.newPage();
  page.on('console', (message) => complaints.push(message.text()));
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('dialog', (dialog) => { complaints.push(`dialog ${dialog.message()}`); dialog.dismiss(); });
}

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'sallyport-page-'));
  stand = await new Stand().start(dir, 0);
  complaints = [];
  await open();
});

afterEach(async () => {
  await context.close();
  await stand.stop();
  rmSync(dir, { recursive: true });
});

const base = () => `https://localhost:${stand.port}`;

async function logIn(name = 'ada') {
  await page.goto(base() + await stand.order(`login ${name}`));
  await page.waitForFunction(() => document.getElementById('user')?.textContent);
}

const card = (name) => page.locator(MACHINE).filter({ has: page.getByRole('heading', { name, exact: true }) });

test('a login link works once and leads to the machines', async () => {
  await page.goto(base());
  assert.equal(await page.locator('code').first().textContent(), `ssh -p ${stand.port} NAME@localhost login`);
  const link = base() + await stand.order('login ada');
  await page.goto(link);
  assert.equal(page.url(), `${base()}/`);
  await page.waitForSelector(MACHINE);
  assert.equal(await page.locator('#user').textContent(), 'ada');
  assert.equal(await page.locator('#summary').textContent(), '2 of 3 online');
  const [cookie] = await context.cookies();
  assert.equal(cookie.name, '__Host-sallyport');
  assert.ok(cookie.httpOnly && cookie.secure && cookie.sameSite === 'Lax' && cookie.path === '/');
  const again = await page.goto(link);
  assert.equal(again.status(), 403);
  await page.getByRole('heading', { name: 'This link does not work' }).waitFor();
});

test('machines say how they are and how to get there', async () => {
  await logIn();
  const box1 = card('box1');
  await box1.waitFor();
  const text = await box1.innerText();
  for (const part of ['Online', 'via the relay', '5 d 4 h', '11.24 on 16 CPUs', '41.0 GiB of 64.0 GiB', 'Disk /data',
    '3.7 TiB of 3.9 TiB, nearly full', 'jupyter-server 1.23.3, /home/ann/notebooks', 'not running']) {
    assert.ok(text.includes(part), `"${part}" in ${text}`);
  }
  assert.deepEqual(await box1.locator('.line:visible code').allTextContents(), [
    `ssh -J ada@localhost:${stand.port} box1`,
    `ssh -N -L 8888:box1:8888 -p ${stand.port} ada@localhost`,
    `ssh -N -L 5432:box1:5432 -p ${stand.port} ada@localhost`,
  ]);
  const link = box1.getByRole('link', { name: 'http://localhost:8888/' });
  assert.equal(await link.getAttribute('href'), 'http://localhost:8888/');
  const meter = box1.getByRole('meter', { name: 'Memory' });
  assert.equal(await meter.getAttribute('aria-valuenow'), '64');
  assert.match(await card('attic').innerText(), /Never connected/);
  assert.deepEqual(await page.locator(`${MACHINE} h2`).allTextContents(), ['box1', 'box2', 'attic']);
});

test('copy buttons copy, and say so', async () => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  await logIn();
  const button = page.getByRole('button', { name: 'Copy the line for jupyter on box1' });
  await button.click();
  await page.waitForFunction(() => document.getElementById('said').textContent === 'Copied');
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()),
    `ssh -N -L 8888:box1:8888 -p ${stand.port} ada@localhost`);
  assert.match(await card('box1').innerText(), /Copied/);
  await page.getByRole('button', { name: 'Copy the line for jupyter on box1' }).waitFor();
});

test('copying works without the clipboard interface, too', async () => {
  await page.addInitScript(() => Object.defineProperty(navigator, 'clipboard', { value: undefined }));
  await logIn();
  await page.getByRole('button', { name: 'Copy the line for ssh on box2' }).click();
  assert.equal(await page.evaluate(() => String(getSelection())), `ssh -J ada@localhost:${stand.port} box2`);
});

test('it refreshes itself and nobody loses his place', async () => {
  await logIn();
  await card('box2').waitFor();
  await page.evaluate(() => {
    const cards = [...document.querySelectorAll('#machines > li')];
    const box2 = cards.find((node) => node.querySelector('h2').textContent === 'box2');
    box2.mark = 'same';
    box2.querySelector('[data-copy]').focus();
    getSelection().selectAllChildren(box2.querySelector('code'));
  });
  await stand.order('show offline');
  await card('box1').getByText('Offline since').waitFor();
  const state = await page.evaluate(() => ({
    mark: document.activeElement.closest('li.machine')?.mark,
    selection: String(getSelection()),
  }));
  assert.deepEqual(state, { mark: 'same', selection: `ssh -J ada@localhost:${stand.port} box2` });
  assert.equal(await card('box1').locator('.line:visible').count(), 0);
  assert.equal(await page.locator('#summary').textContent(), '1 of 3 online');
  await stand.order('show home');
  await card('box1').getByText('Online').waitFor();
  assert.deepEqual(await page.locator(`${MACHINE} h2`).allTextContents(), ['box1', 'box2', 'attic']);
  assert.equal(await page.evaluate(() => document.activeElement.closest('li.machine')?.mark), 'same');
  await stand.order('show empty');
  await page.getByText('No machines yet').waitFor();
  assert.deepEqual(complaints, []);
});

test('it rests while nobody looks and is quick when somebody does', async () => {
  await logIn();
  await card('box1').waitFor();
  let asked = 0;
  page.on('request', () => { asked += 1; });
  const look = (hidden) => page.evaluate((value) => {
    Object.defineProperty(document, 'hidden', { value, configurable: true });
    document.dispatchEvent(new Event('visibilitychange'));
  }, hidden);
  await look(true);
  await page.waitForTimeout(500);
  asked = 0;
  await page.waitForTimeout(4000);
  assert.equal(asked, 0);
  const request = page.waitForRequest(/machines/, { timeout: 1000 });
  await look(false);
  await request;
});

test('what machines say is text and nothing else', async () => {
  await stand.order('show hostile');
  await logIn();
  await card('box1').waitFor();
  const text = await card('box1').innerText();
  assert.ok(text.includes("<img src=x onerror=document.title='owned'>"));
  assert.ok(text.includes("Disk /<script>document.title='owned'</script>"));
  assert.equal(await page.locator(`${MACHINE} :is(img, script)`).count(), 0);
  assert.equal(await page.title(), 'Machines · Sallyport');
  // Addresses stay on this computer, and a port that needs root is not asked for.
  assert.deepEqual(await card('box1').locator('a:visible').evaluateAll((all) => all.map((one) => one.href)),
    ['http://localhost:8080//evil.example/%3F%22onclick=alert(1)', 'http://localhost:8889//evil.example/']);
  assert.ok(text.includes('ssh -N -L 8080:box1:80 '));
  assert.deepEqual(complaints, []);
});

test('it says when the relay is gone, and recovers by itself', async () => {
  await logIn();
  await card('box1').waitFor();
  const port = stand.port;
  await stand.kill();
  const trouble = page.locator('#trouble');
  await trouble.waitFor();
  assert.match(await trouble.textContent(), /does not answer\. What you see is from \d/);
  await page.evaluate(AXE);
  assert.deepEqual(await violations(), []);
  stand = await new Stand().start(dir, port);
  await trouble.waitFor({ state: 'hidden' });
  assert.equal(await page.locator('#summary').textContent(), '2 of 3 online');
  await stand.order('show offline');
  await card('box1').getByText('Offline since').waitFor();
});

test('a session that ends leads to the login page', async () => {
  await logIn();
  await card('box1').waitFor();
  await stand.order('logout');
  await page.getByRole('heading', { name: 'Log in' }).waitFor();
});

test('logging out ends the session', async () => {
  await logIn();
  const kept = await context.cookies();
  await page.getByRole('button', { name: 'Log out' }).click();
  await page.getByRole('heading', { name: 'Log in' }).waitFor();
  assert.deepEqual(await context.cookies(), []);
  await context.addCookies(kept);
  assert.equal((await context.request.get(`${base()}/api/v1/me`)).status(), 401);
});

test('other sites cannot log anybody out', async () => {
  await logIn();
  const other = await context.newPage();
  await other.route('https://evil.example/', (route) => route.fulfill({ contentType: 'text/html', body: '<p>hello' }));
  await other.goto('https://evil.example/');
  await other.evaluate(async (url) => {
    await fetch(url, { method: 'POST', mode: 'no-cors', credentials: 'include' }).catch(() => 0);
    const form = document.createElement('form');
    Object.assign(form, { method: 'post', action: url });
    document.body.append(form);
    form.submit();
  }, `${base()}/api/v1/logout`);
  await other.waitForURL(/logout/);
  assert.match(await other.content(), /does not come from/);
  assert.equal((await context.request.get(`${base()}/api/v1/me`)).status(), 200);
});

test('members without machines are told whom to ask', async () => {
  await logIn('bob');
  await page.getByText('Nobody has given you a machine yet.').waitFor();
  assert.ok(!(await page.locator('main').innerText()).includes('invite machine'));
});

test('everything can be reached by keyboard', async () => {
  await logIn();
  await card('box1').waitFor();
  const seen = [];
  for (let i = 0; i < 9; i += 1) {
    await page.keyboard.press('Tab');
    seen.push(await page.evaluate(() => {
      const node = document.activeElement;
      const style = getComputedStyle(node);
      return `${node.innerText.trim().split('\n')[0]}${style.outlineStyle === 'solid' ? '' : ' (no outline)'}`;
    }));
  }
  assert.deepEqual(seen.slice(0, 5), ['Skip to the machines', 'Sallyport', 'Log out', 'Copy', 'Copy']);
  assert.ok(!seen.some((one) => one.includes('no outline')), String(seen));
});

async function violations() {
  const result = await page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }));
  return result.violations.map((one) => `${one.id}: ${one.nodes.map((node) => node.target).join(', ')}`);
}

for (const colorScheme of ['light', 'dark']) {
  for (const width of [360, 1440]) {
    test(`every page is accessible and fits, ${colorScheme}, ${width} px`, async () => {
      await context.close();
      await open({ colorScheme, viewport: { width, height: 900 }, reducedMotion: 'reduce' });
      const check = async (what) => {
        await page.evaluate(AXE);
        assert.deepEqual(await violations(), [], what);
        const over = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
        assert.ok(over <= 0, `${what} is ${over} px too wide`);
      };
      for (const path of ['/', '/login/wrong', '/nothing']) {
        await page.goto(base() + path);
        await check(path);
      }
      await logIn();
      for (const scene of ['home', 'offline', 'hostile', 'empty']) {
        await stand.order(`show ${scene}`);
        await page.reload();
        await page.waitForSelector(scene === 'empty' ? '#empty:visible' : MACHINE);
        await page.locator('details:visible').evaluateAll((all) => all.forEach((one) => { one.open = true; }));
        await check(scene);
      }
      assert.ok(!complaints.some((one) => /Content Security Policy/.test(one)), String(complaints));
    });
  }
}
