// A day with Jupyter in the browser: real relay, agent, Notebook 6 and Chromium, nothing configured.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { chromium } from 'playwright-core';
import { Tree, mendTerminals } from './notebook.mjs';
import { CHROMIUM, FLAGS, World, until } from './world.mjs';

const SHOTS = process.env.SHOTS ?? 'shots';
const OUTAGE = 10_000;

mkdirSync(SHOTS, { recursive: true });

for (const scheme of ['https', 'http']) {
  test(`a day with Jupyter, ${scheme}`, async (t) => {
    const world = new World();
    let browser;
    let context;
    let relay; // the page of machines
    let tree;
    let notebook;
    const complaints = [];
    let broken = false;

    // One after the other, each where the last one left off: after a failure the rest makes no sense.
    const step = (name, work) => t.test(name, { skip: broken }, async () => {
      try {
        await work();
      } catch (error) {
        broken = true;
        let n = 0;
        for (const page of context?.pages() ?? []) {
          n += 1;
          await page.screenshot({ path: join(SHOTS, `${scheme}-failed-${n}.png`) }).catch(() => {});
          console.error(page.url());
        }
        console.error(world.logs());
        throw error;
      }
    });
    const shot = (page, name) => page.screenshot({ path: join(SHOTS, `${scheme}-${name}.png`) });

    try {
      await step('everything is started', async () => {
        await world.relay();
        const home = world.folder('box1-home');
        world.jupyter = await world.notebook(home);
        await world.machine('box1', {}, home);
        await world.service('box1', 'jupyter');
        browser = await chromium.launch({ executablePath: CHROMIUM, args: FLAGS });
        // Over http there is no certificate to be ignored: a warning would stop the test.
        context = await browser.newContext({ ignoreHTTPSErrors: scheme === 'https', acceptDownloads: true });
        await mendTerminals(context);
        context.on('weberror', (error) => complaints.push(String(error.error())));
        // Not even by accident may Jupyter's token come into the browser.
        context.on('response', async (response) => {
          const heads = JSON.stringify([response.url(), await response.allHeaders().catch(() => '')]);
          if (heads.includes(world.jupyter.token)) complaints.push(`the token is in ${heads}`);
        });
      });

      await step('the link logs in, and the machine is there, live', async () => {
        const link = new URL(await world.link());
        assert.equal(link.host, `localhost:${world.port}`);
        link.protocol = scheme;
        relay = await context.newPage();
        await relay.goto(String(link));
        assert.equal(relay.url(), `${world.origin(null, scheme)}/`);
        await relay.getByRole('heading', { name: 'box1' }).waitFor();
        await relay.getByText('Online', { exact: true }).first().waitFor();
        await shot(relay, 'machines');
        const other = await world.machine('box2', {});
        await relay.getByRole('heading', { name: 'box2' }).waitFor();
        await relay.getByText('Online', { exact: true }).nth(1).waitFor();
        await other.stop();
        await relay.getByText('Offline', { exact: true }).waitFor();
      });

      await step('a click on the service opens Jupyter', async () => {
        const [opened] = await Promise.all([context.waitForEvent('page'),
          relay.locator('a[href="/open/box1/jupyter"]').first().click()]);
        tree = await new Tree(opened).ready();
        assert.equal(new URL(opened.url()).origin, world.origin('box1--jupyter', scheme));
        assert.equal(await opened.evaluate(() => window.isSecureContext), true);
        assert.ok(!opened.url().includes('token') && !opened.url().includes('.sallyport'), opened.url());
        const ours = (await context.cookies()).filter((one) => one.name === '__Host-sallyport');
        assert.deepEqual(ours.map((one) => one.domain).sort(), ['box1--jupyter.localhost', 'localhost']);
        assert.ok(ours.every((one) => one.httpOnly && one.secure && one.path === '/' && one.sameSite === 'Lax'));
        await shot(opened, 'tree');
      });

      await step('a notebook is made, and a cell runs', async () => {
        notebook = await tree.newNotebook();
        assert.match(await notebook.run('print(6 * 7)'), /^42$/m);
        await notebook.save();
        await shot(notebook.page, 'notebook');
        const folder = world.path('notebooks');
        assert.ok(existsSync(join(folder, 'Untitled.ipynb')));
      });

      await step('a kernel that is busy is interrupted', async () => {
        const cell = await notebook.start('import time; time.sleep(3600)');
        await notebook.busy();
        await notebook.interrupt();
        assert.match(await notebook.output(cell), /KeyboardInterrupt/);
        assert.match(await notebook.run('print(1 + 1)'), /^2$/m);
      });

      await step('much output and pictures', async () => {
        assert.match(await notebook.run('print("line\\n" * 20000 + "end of it")'), /end of it/);
        const cell = await notebook.start('from IPython.display import SVG; '
          + 'SVG("<svg xmlns=\'http://www.w3.org/2000/svg\' width=\'9\' height=\'9\'><circle r=\'9\'/></svg>")');
        await cell.locator('svg circle').waitFor({ state: 'attached' });
      });

      await step('the page of machines tells of the notebook', async () => {
        await relay.bringToFront();
        await relay.getByText('Untitled.ipynb').first().waitFor({ timeout: 30_000 });
        await shot(relay, 'machines-with-notebook');
      });

      await step('files go up and come down', async () => {
        const bytes = Buffer.alloc(6_000_003);
        for (let i = 0; i < bytes.length; i += 4093) bytes[i] = i;
        await tree.page.bringToFront();
        await tree.upload({ name: 'model.bin', mimeType: 'application/octet-stream', buffer: bytes }, 'model.bin');
        const path = world.path('notebooks', 'model.bin');
        await until('all of it to be there', () => statSync(path).size === bytes.length);
        assert.ok(readFileSync(path).equals(bytes), 'something else arrived');
        assert.ok((await tree.download('model.bin')).equals(bytes), 'something else came back');
      });

      await step('a terminal opens and takes what is typed', async () => {
        await tree.page.bringToFront();
        const terminal = await tree.newTerminal();
        await terminal.type('echo $((6 * 7)) in the terminal');
        await terminal.shows(/^42 in the terminal/m);
        await terminal.type(`pwd > ${world.path('typed')}`);
        await until('the shell to do it', () => existsSync(world.path('typed')));
        await terminal.type('seq 20000');
        await terminal.shows(/^20000$/m);
        await shot(terminal.page, 'terminal');
        world.terminal = terminal;
      });

      await step('the network hangs for 10 s, and work goes on', async () => {
        await notebook.page.bringToFront();
        assert.match(await notebook.run('kept = 7 * 191'), /^$/);
        world.cable.freeze();
        await pause(OUTAGE);
        world.cable.mend();
        assert.match(await notebook.run('print(kept)'), /^1337$/m);
        await world.terminal.page.bringToFront();
        await world.terminal.type('echo $((7 * 7)) again');
        await world.terminal.shows(/^49 again/m);
      });

      await step('the network is gone for 10 s, and work goes on', async () => {
        await notebook.page.bringToFront();
        const cell = await notebook.start('import time; time.sleep(2); kept += 1');
        await notebook.busy();
        world.cable.cut();
        await pause(OUTAGE);
        await shot(notebook.page, 'cut');
        await shot(relay, 'machines-cut');
        world.cable.mend();
        await notebook.connected();
        assert.match(await notebook.run('print(kept)'), /^1338$/m);
        await notebook.save();
        assert.ok(await cell.isVisible());
        await relay.bringToFront();
        await relay.locator('#trouble').waitFor({ state: 'hidden', timeout: 60_000 });
        await shot(relay, 'machines-back');
      });

      await step('logged out, Jupyter is gone', async () => {
        await relay.bringToFront();
        await relay.getByRole('button', { name: 'Log out', exact: true }).click();
        await relay.getByRole('heading', { name: 'Log in' }).waitFor();
        await until('the notebook to lose its kernel', async () => !(await notebook.isConnected()), 10);
        assert.equal(await tree.page.evaluate(async () => (await fetch('/api/contents')).status), 401);
        await tree.page.bringToFront();
        await tree.page.goto(`${world.origin('box1--jupyter', scheme)}/tree`);
        await tree.page.getByRole('heading', { name: 'Log in' }).waitFor();
        assert.equal(new URL(tree.page.url()).origin, world.origin(null, scheme));
        await shot(tree.page, 'logged-out');
      });

      await step('and back by a new link, to where one wanted to be', async () => {
        const link = new URL(await world.link());
        link.protocol = scheme;
        await tree.page.goto(String(link));
        await tree.ready();
        assert.equal(tree.page.url(), `${world.origin('box1--jupyter', scheme)}/tree`);
      });

      await step('no page complained, and the token was nowhere', () => {
        assert.deepEqual(complaints, []);
      });
    } finally {
      await browser?.close();
      await world.close();
    }
  });
}
