// The page of machines in a real Chromium, in front of the real web code with made-up machines behind it (stand.c):
// what it shows, what it does, and whether everybody can use it. What is live about it is in live.test.mjs.
// Wants STAND (the program), WEB (the folder of the page's files) and, when it lies elsewhere than in Debian, CHROMIUM.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { MACHINE, base, card, check, logIn, openBrowser, openTab, prepare, world } from './stand.mjs';

const SIZE_MAX = 60 * 1024;

prepare();

const names = (page = world.page) => page.locator(`${MACHINE} h2`).allTextContents();

test('a login link works once and leads to the machines', async () => {
  const { page, stand, context } = world;
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
  assert.deepEqual(world.complaints, []);
  const again = await page.goto(link);
  assert.equal(again.status(), 403);
  await page.getByRole('heading', { name: 'This link does not work' }).waitFor();
});

test('machines say how they are and how to get there', async () => {
  const { page, stand } = world;
  await logIn();
  const box1 = card('box1');
  await box1.waitFor();
  const text = await box1.innerText();
  for (const part of ['Online', 'via the relay', '5 d 4 h', '11.24 on 16 CPUs', '41.0 GiB of 64.0 GiB', 'Disk /data',
    '3.7 TiB of 3.9 TiB, nearly full', 'jupyter-server 1.23.3, /home/ann/notebooks', 'train.ipynb python3, running',
    'plots.ipynb python3, idle', 'and 1 more', 'not running']) {
    assert.ok(text.includes(part), `"${part}" in ${text}`);
  }
  assert.deepEqual(await box1.locator('.line:visible code').allTextContents(), [
    `ssh -J ada@localhost:${stand.port} box1`,
    `ssh -N -L 5432:box1:5432 -p ${stand.port} ada@localhost`,
  ]);
  const links = await box1.locator('.services a:visible').evaluateAll((all) => all.map((one) => [one.getAttribute('href'),
    one.target, one.rel, one.textContent]));
  assert.deepEqual(links, [['/open/box1/jupyter', '_blank', 'noopener', 'Open jupyter on box1 in a new tab']]);
  const meter = box1.getByRole('meter', { name: 'Memory' });
  assert.equal(await meter.getAttribute('aria-valuenow'), '64');
  assert.match(await card('attic').innerText(), /Never connected/);
  assert.deepEqual(await names(), ['box1', 'box2', 'attic']);
  assert.equal(await page.locator('#why').isVisible(), false);
});

test('where services cannot have names, it gives lines instead of links, and says why', async () => {
  const { page, stand } = world;
  await logIn('ada', '127.0.0.1');
  const box1 = card('box1');
  await box1.waitFor();
  assert.deepEqual(await box1.locator('.line:visible code').allTextContents(), [
    `ssh -J ada@localhost:${stand.port} box1`,
    `ssh -N -L 8888:box1:8888 -p ${stand.port} ada@localhost`,
    `ssh -N -L 5432:box1:5432 -p ${stand.port} ada@localhost`,
  ]);
  const link = box1.getByRole('link', { name: 'http://localhost:8888/' });
  assert.equal(await link.getAttribute('href'), 'http://localhost:8888/');
  assert.equal(await box1.locator('.services a:visible').count(), 1);
  assert.match(await page.locator('#why').innerText(), /by an address and not by a name\. At https:\/\/localhost:\d+\/ they can\./);
});

test('a card says by which way a machine is reached, or why by no better one', async () => {
  const { page } = world;
  await logIn();
  const box1 = card('box1');
  await box1.waitFor();
  assert.match(await box1.innerText(), /Clock\s+1 h ahead/);
  assert.equal(await box1.getByText('2001:db8:77::20').isVisible(), false);
  await box1.getByText('Why is there no direct way?').click();
  const text = await box1.locator('.reach').innerText();
  for (const part of ["Your router's own address 100.64.23.2 is private: the ISP has another NAT in front (carrier NAT)."
    + ' Streams go through the relay.', '100.64.23.2 port 40022 mapped by UPnP, failed 3 min', 'IPv6, not proved yet',
  '192.168.1.20 port 41234 for those on its own network']) {
    assert.ok(text.includes(part), `"${part}" in ${text}`);
  }
  const box2 = card('box2');
  assert.match(await box2.innerText(), /Route\s+direct/);
  assert.doesNotMatch(await box2.innerText(), /Clock/);
  await box2.getByText('Direct way: 203.0.113.7 port 40023').focus();
  await page.keyboard.press('Enter');
  await box2.getByText('The sallyport client takes it. Browsers and ssh alone go through the relay.').waitFor();
  await box2.getByText('ED25519 SHA256:T7SvZ2cslqpPj6nKzitCBHHlpVF3r3MvLwmFL0fk0IE', { exact: true }).waitFor();
  const ways = await box2.locator('.ways').first().getByRole('listitem').allInnerTexts();
  assert.equal(ways.length, 3);
  assert.match(ways[1], /^2001:db8:77::21 port 50123 IPv6, sshd itself, proved from outside 3 min \d* ?/);
  assert.match(ways[2], /^203\.0\.113\.7 port 40023 mapped by PCP, proved from outside 3 min/);
  // A key that is none says so, and nothing else breaks.
  await box2.getByText('RSA cannot be read', { exact: true }).waitFor();
  // What was said above is not said again.
  assert.equal(text.split('carrier NAT').length, 2, text);
  assert.equal(await card('attic').locator('.reach').isVisible(), false);
  assert.deepEqual(world.complaints, []);
});

test('what was unfolded stays unfolded when something changes', async () => {
  const { page, stand } = world;
  await logIn();
  await card('box1').getByText('Why is there no direct way?').click();
  await stand.order('load 7');
  await card('box1').getByText('7.00 on 16 CPUs').waitFor();
  assert.ok(await card('box1').getByText('2001:db8:77::20').isVisible());
  await stand.order('show offline');
  await card('box1').getByText('Offline').waitFor();
  assert.equal(await card('box1').locator('.reach').isVisible(), false);
  await page.getByRole('radio', { name: 'Table' }).check();
  const row = page.getByRole('row', { name: 'box2' });
  assert.equal(await row.getByText('203.0.113.7').isVisible(), false);
  await row.getByText('direct', { exact: true }).click();
  await row.getByText(/^203\.0\.113\.7 port 40023, mapped by PCP, proved from outside 3 min/).waitFor();
  assert.equal((await page.getByRole('row', { name: 'box1' }).locator('.column-route').innerText()).trim(), '');
});

test('copy buttons copy, and say so', async () => {
  const { page, stand, context } = world;
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  await logIn();
  await page.getByRole('button', { name: 'Copy the line for postgres on box1' }).click();
  await page.waitForFunction(() => document.getElementById('said').textContent === 'Copied');
  const clipboard = () => page.evaluate(() => navigator.clipboard.readText());
  assert.equal(await clipboard(), `ssh -N -L 5432:box1:5432 -p ${stand.port} ada@localhost`);
  assert.match(await card('box1').innerText(), /Copied/);
  await page.getByRole('button', { name: 'Copy the line for postgres on box1' }).waitFor();
  await page.getByRole('radio', { name: 'Table' }).check();
  await page.getByRole('button', { name: 'SSH (copy the line for ssh on box2)' }).click();
  await page.getByRole('button', { name: 'Copied' }).waitFor();
  assert.equal(await clipboard(), `ssh -J ada@localhost:${stand.port} box2`);
  await page.getByRole('button', { name: 'SSH (copy the line for ssh on box2)' }).waitFor();
});

test('copying works without the clipboard interface, too', async () => {
  const { page, stand } = world;
  await page.addInitScript(() => Object.defineProperty(navigator, 'clipboard', { value: undefined }));
  await logIn();
  const copied = () => page.evaluate(() => String(getSelection()));
  await page.getByRole('button', { name: 'Copy the line for ssh on box2' }).click();
  assert.equal(await copied(), `ssh -J ada@localhost:${stand.port} box2`);
  await page.getByRole('radio', { name: 'Table' }).check();
  await page.getByRole('button', { name: 'SSH (copy the line for ssh on box1)' }).click();
  assert.equal(await copied(), `ssh -J ada@localhost:${stand.port} box1`);
});

test('what machines say is text and nothing else', async () => {
  const { page, stand } = world;
  await stand.order('show hostile');
  await logIn('ada', '127.0.0.1');
  await card('box1').waitFor();
  const text = await card('box1').innerText();
  assert.ok(text.includes("<img src=x onerror=document.title='owned'>"));
  assert.ok(text.includes("Disk /<script>document.title='owned'</script>"));
  await card('box1').getByText('Why is there no direct way?').click();
  assert.match(await card('box1').locator('.reach').innerText(), /<img src=x.*mapped by <b>upnp<\/b>, failed/s);
  assert.equal(await page.locator(`${MACHINE} :is(img, script)`).count(), 0);
  assert.equal(await page.title(), 'Machines · Sallyport');
  // Addresses stay on this computer, and a port that needs root is not asked for.
  assert.deepEqual(await card('box1').locator('.services a:visible').evaluateAll((all) => all.map((one) => one.href)),
    ['http://localhost:8080//evil.example/%3F%22onclick=alert(1)', 'http://localhost:8889//evil.example/']);
  assert.ok(text.includes('ssh -N -L 8080:box1:80 '));
  assert.deepEqual(world.complaints, []);
});

test('the filter finds machines by name, state and what runs there', async () => {
  const { page } = world;
  await logIn();
  await card('box1').waitFor();
  await page.keyboard.press('/');
  const filter = page.getByRole('searchbox');
  assert.ok(await filter.evaluate((node) => node === document.activeElement));
  for (const [typed, found] of [['BOX', ['box1', 'box2']], ['box 2', ['box2']], ['jupyter', ['box1']],
    ['train', ['box1']], ['offline', ['attic']], ['ssh', ['box1', 'box2']], ['/', []]]) {
    await filter.fill(typed);
    assert.deepEqual(await names(), found, typed);
  }
  await page.getByText('Nothing matches “/”.').waitFor();
  assert.equal(await page.locator('#summary').textContent(), '2 of 3 online, 0 shown');
  await page.waitForFunction(() => document.getElementById('said').textContent === '0 machines shown');
  await page.getByRole('button', { name: 'Show all' }).click();
  assert.deepEqual(await names(), ['box1', 'box2', 'attic']);
  await filter.fill('box2');
  await filter.press('Escape');
  assert.equal(await filter.inputValue(), '');
  assert.equal((await names()).length, 3);
});

test('the order, the table and the filter are remembered', async () => {
  const { page, stand } = world;
  await logIn();
  await card('box1').waitFor();
  await page.getByLabel('Sort').selectOption('name');
  assert.deepEqual(await names(), ['attic', 'box1', 'box2']);
  await page.getByLabel('Sort').selectOption('load');
  assert.deepEqual(await names(), ['box1', 'box2', 'attic']);
  await stand.order('load 0');
  await stand.order('show offline');
  await page.waitForFunction(() => document.querySelector('#machines h2').textContent === 'box2');
  await page.getByLabel('Sort').selectOption('seen');
  assert.deepEqual(await names(), ['box2', 'box1', 'attic']);
  await stand.order('show home');
  await page.getByRole('radio', { name: 'Table' }).check();
  await page.getByRole('searchbox').fill('box');
  await page.reload();
  const rows = page.getByRole('rowheader');
  await rows.first().waitFor();
  assert.deepEqual(await rows.allTextContents(), ['box1', 'box2']);
  assert.equal(await page.getByLabel('Sort').inputValue(), 'seen');
  assert.equal(await page.getByRole('searchbox').inputValue(), 'box');
  assert.equal(await page.locator(MACHINE).count(), 0);
  const cells = await page.getByRole('row', { name: 'box1' }).getByRole('cell').allInnerTexts();
  assert.deepEqual(cells.slice(0, 6), ['Online', '', 'via the relay', '0.00 on 16 CPUs', '64 %', '95 %']);
  assert.deepEqual(await page.getByRole('row', { name: 'box1' }).locator('.chips').getByRole('link').evaluateAll(
    (all) => all.map((one) => one.getAttribute('href'))), ['/open/box1/jupyter']);
  // A new tab has the same form, and begins with all machines.
  const tab = await world.context.newPage();
  await tab.goto(base());
  await tab.getByRole('rowheader').first().waitFor();
  assert.deepEqual(await tab.getByRole('rowheader').allTextContents(), ['box1', 'box2', 'attic']);
});

test('it works where nothing can be remembered', async () => {
  const { page } = world;
  await page.addInitScript(() => {
    for (const name of ['localStorage', 'sessionStorage']) {
      Object.defineProperty(window, name, { get() { throw new Error('forbidden'); } });
    }
  });
  await logIn();
  await page.getByRole('radio', { name: 'Table' }).check();
  await page.getByRole('rowheader', { name: 'box1' }).waitFor();
  assert.deepEqual(world.complaints, []);
});

test('the first machine: a name, a line to paste, and it is here', async () => {
  const { page, stand } = world;
  await stand.order('show empty');
  await logIn();
  const empty = page.locator('#empty');
  await empty.getByLabel('Name of the machine').fill('Box 1');
  await empty.getByRole('button', { name: 'Make the line' }).click();
  await empty.getByText('A name has 3 to 31').waitFor();
  assert.equal(await empty.getByLabel('Name of the machine').getAttribute('aria-invalid'), 'true');
  await empty.getByLabel('Name of the machine').fill('box5');
  await empty.getByLabel('Name of the machine').press('Enter');
  await empty.getByText('Waiting for box5').waitFor();
  assert.match(await empty.locator('code').textContent(),
    new RegExp(`^sallyport-agent join 'sallyport://localhost:${stand.port}/[\\w-]{43}#SHA256:A{43}'$`));
  await check('an invite line');
  await stand.order('join box5');
  await card('box5').getByText('Online').waitFor();
  assert.equal(await empty.isVisible(), false);
  assert.deepEqual(world.complaints, []);
});

test('a further machine', async () => {
  const { page, stand } = world;
  await logIn();
  const open = page.getByRole('button', { name: 'Add a machine' });
  await open.click();
  const dialog = page.getByRole('dialog', { name: 'Add a machine' });
  const name = dialog.getByLabel('Name of the machine');
  assert.ok(await name.evaluate((node) => node === document.activeElement));
  await name.fill('box5');
  await name.press('Enter');
  await dialog.getByText('Waiting for box5').waitFor();
  assert.equal(await dialog.getByText('already').isVisible(), false);
  await stand.order('join box5');
  await dialog.getByText('box5 is here.').waitFor();
  // One that is there comes anew: it is not here before it has gone.
  await name.fill('box1');
  await name.press('Enter');
  await dialog.getByText('A machine of this name is here already').waitFor();
  await dialog.getByText('Waiting for box1').waitFor();
  await stand.order('show offline');
  await card('box1').getByText('Offline').waitFor();
  await stand.order('show home');
  await dialog.getByText('box1 is here.').waitFor();
  await page.keyboard.press('Escape');
  assert.equal(await dialog.isVisible(), false);
  assert.ok(await open.evaluate((node) => node === document.activeElement));
  await open.click();
  assert.equal(await name.inputValue(), '');
  assert.equal(await dialog.locator('code').isVisible(), false);
  await dialog.getByRole('button', { name: 'Close' }).click();
  assert.equal(await dialog.isVisible(), false);
  assert.deepEqual(world.complaints, []);
});

test('a person is invited by either of two lines', async () => {
  const { page, stand } = world;
  await logIn();
  const open = page.getByRole('button', { name: 'Invite a person' });
  await open.click();
  const dialog = page.getByRole('dialog', { name: 'Invite a person' });
  const name = dialog.getByLabel('Name of the person');
  await name.fill('carol');
  await name.press('Enter');
  await dialog.getByText('Then say what carol may use').waitFor();
  const lines = await dialog.locator('.line code').allTextContents();
  assert.match(lines[0], new RegExp(`^sallyport join 'sallyport://localhost:${stand.port}/[\\w-]{43}#SHA256:A{43}'$`));
  assert.match(lines[1], new RegExp(`^echo [\\w-]{43} \\| ssh -p ${stand.port} join@localhost$`));
  assert.equal(lines[2], `ssh -p ${stand.port} ada@localhost grant carol box1`);
  // Both have the same token: the invite is for one.
  assert.ok(lines[0].includes(lines[1].split(' ')[1]));
  assert.match(await dialog.innerText(), /it must be SHA256:A{43}\./);
  assert.equal(await dialog.getByText('already').isVisible(), false);
  assert.doesNotMatch(await dialog.innerText(), /Waiting|machine here|where the agent/);
  await name.fill('ada');
  await name.press('Enter');
  await dialog.getByText('A person of this name is here already: this adds one more key.').waitFor();
  await name.fill('dave');
  await dialog.getByLabel('May administer this relay').check();
  await name.press('Enter');
  await dialog.getByText('Send dave one of these lines').waitFor();
  assert.equal(await dialog.getByText('Then say what').isVisible(), false);
  const invites = await (await world.context.request.get(`${base()}/api/v1/invites`)).json();
  assert.deepEqual(invites.map((one) => [one.kind, one.name, one.role]).sort(), [['user', 'ada', 'member'],
    ['user', 'carol', 'member'], ['user', 'dave', 'admin']]);
  await page.keyboard.press('Escape');
  assert.ok(await open.evaluate((node) => node === document.activeElement));
  await page.getByRole('button', { name: 'Add a machine' }).click();
  await page.getByRole('dialog', { name: 'Add a machine' }).getByLabel('Name of the machine').waitFor();
  assert.deepEqual(world.complaints, []);
});

test('an order that fails says why, in the words of the relay', async () => {
  const { page } = world;
  await logIn();
  await page.route(/\/api\/v1\/invites$/, (route) => route.fulfill({ status: 409, json: { error: 'it is too late' } }));
  await page.getByRole('button', { name: 'Add a machine' }).click();
  const dialog = page.getByRole('dialog', { name: 'Add a machine' });
  await dialog.getByLabel('Name of the machine').fill('box5');
  await dialog.getByRole('button', { name: 'Make the line' }).click();
  await dialog.getByRole('alert').getByText('No line was made: it is too late.').waitFor();
  await page.unroute(/\/api\/v1\/invites$/);
  await dialog.getByRole('button', { name: 'Make the line' }).click();
  await dialog.getByText('Waiting for box5').waitFor();
  assert.equal(await dialog.getByRole('alert').isVisible(), false);
});

test('members are not offered what they may not do', async () => {
  const { page } = world;
  await logIn('bob');
  await page.getByText('Nobody has given you a machine yet.').waitFor();
  assert.equal(await page.getByLabel('Name of the machine').isVisible(), false);
  assert.equal(await page.getByRole('button', { name: 'Add a machine' }).isVisible(), false);
  assert.equal(await page.getByRole('button', { name: 'Invite a person' }).isVisible(), false);
});

test('sessions are listed, and ended one by one', async () => {
  const { page, stand, browser } = world;
  const phone = await browser.newContext({ ignoreHTTPSErrors: true,
    userAgent: 'Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Mobile/15E148 Safari/604.1' });
  try {
    const other = await phone.newPage();
    await other.goto(base() + await stand.order('login ada'));
    await other.waitForSelector(MACHINE);
    await logIn();
    await page.getByRole('button', { name: 'Sessions' }).click();
    const dialog = page.getByRole('dialog', { name: 'Where you are logged in' });
    await dialog.getByText('Safari on iPhone').first().waitFor();
    const rows = await dialog.getByRole('listitem').allInnerTexts();
    assert.equal(rows.length, 2);
    assert.equal(rows.filter((row) => /Chrome on Linux this browser\s+127\.0\.0\.1 · logged in .* · ends in 29 d/
      .test(row)).length, 1, String(rows));
    await dialog.getByRole('button', { name: 'End the session of Safari on iPhone, 127.0.0.1' }).click();
    await dialog.getByText('Safari on iPhone').first().waitFor({ state: 'detached' });
    await other.getByRole('heading', { name: 'Log in' }).waitFor();
    assert.equal(await dialog.getByRole('listitem').count(), 1);
    await dialog.getByRole('button', { name: 'Log out', exact: true }).click();
    await page.getByRole('heading', { name: 'Log in' }).waitFor();
  } finally {
    await phone.close();
  }
});

test('logging out everywhere ends all sessions', async () => {
  const { page, stand, browser } = world;
  const elsewhere = await browser.newContext({ ignoreHTTPSErrors: true });
  try {
    const other = await elsewhere.newPage();
    await other.goto(base() + await stand.order('login ada'));
    await other.waitForSelector(MACHINE);
    await logIn();
    await page.getByRole('button', { name: 'Sessions' }).click();
    await page.getByRole('button', { name: 'Log out everywhere' }).click();
    await page.getByRole('heading', { name: 'Log in' }).waitFor();
    await other.getByRole('heading', { name: 'Log in' }).waitFor();
  } finally {
    await elsewhere.close();
  }
});

test('logging out ends the session, in all tabs', async () => {
  const { page, context } = world;
  await logIn();
  const tab = await openTab();
  const kept = await context.cookies();
  await page.getByRole('button', { name: 'Log out', exact: true }).click();
  await page.getByRole('heading', { name: 'Log in' }).waitFor();
  await tab.getByRole('heading', { name: 'Log in' }).waitFor();
  assert.deepEqual(await context.cookies(), []);
  await context.addCookies(kept);
  assert.equal((await context.request.get(`${base()}/api/v1/me`)).status(), 401);
});

test('orders still work after another tab has logged in anew', async () => {
  const { page, stand, context } = world;
  await logIn();
  const tab = await context.newPage();
  await tab.goto(base() + await stand.order('login ada'));
  await tab.waitForSelector(MACHINE);
  await page.getByRole('button', { name: 'Log out', exact: true }).click();
  await page.getByRole('heading', { name: 'Log in' }).waitFor();
});

test('other sites cannot log anybody out', async () => {
  const { context } = world;
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
  assert.match(await other.content(), /not logged in|does not come from/);
  assert.equal((await context.request.get(`${base()}/api/v1/me`)).status(), 200);
});

test('everything can be reached by keyboard', async () => {
  const { page } = world;
  await logIn();
  await card('box1').waitFor();
  const seen = [];
  for (let i = 0; i < 20; i += 1) {
    await page.keyboard.press('Tab');
    seen.push(await page.evaluate(() => {
      const node = document.activeElement;
      const shown = node.type === 'radio' ? node.nextElementSibling : node;
      const name = node.innerText.trim().split('\n')[0] || node.id || node.value;
      return `${name}${getComputedStyle(shown).outlineStyle === 'solid' ? '' : ' (no outline)'}`;
    }));
  }
  assert.deepEqual(seen, ['Skip to the machines', 'Sallyport', 'Machines', 'Alerts', 'Sessions', 'Log out',
    'Add a machine', 'Invite a person', 'filter', 'By state', 'cards', 'box1', 'Why is there no direct way?', 'Copy',
    'Open', 'Copy', 'box2', 'Direct way: 203.0.113.7 port 40023', 'Copy', seen[19]]);
  assert.ok(!seen.slice(0, 19).some((one) => one.includes('no outline')), String(seen));
  await page.getByRole('radio', { name: 'Cards' }).focus();
  await page.keyboard.press('ArrowRight');
  await page.getByRole('rowheader', { name: 'box1' }).waitFor();
});

test('cards leave no holes between them', async () => {
  const { page } = world;
  await page.setViewportSize({ width: 1440, height: 900 });
  await logIn();
  await card('attic').waitFor();
  const boxes = await Promise.all(['box1', 'box2', 'attic'].map((name) => card(name).boundingBox()));
  const gap = boxes[2].y - (boxes[1].y + boxes[1].height);
  assert.ok(boxes[0].y === boxes[1].y && boxes[2].x === boxes[1].x && gap >= 18 && gap < 30, JSON.stringify(boxes));
});

const compressed = (name) => gzipSync(readFileSync(join(process.env.WEB, name))).length;

// A page with all that it loads, and what that loads in turn.
function filesOf(page) {
  const files = new Set([page]);
  for (const file of files) {
    const text = readFileSync(join(process.env.WEB, file), 'utf8');
    for (const [, name] of text.matchAll(/(?:(?:src|href)="\/assets\/|from '\.\/)([^"']+)["']/g)) {
      files.add(name.startsWith('uPlot') ? `vendor/uplot/${name}` : name);
    }
  }
  return [...files];
}

test('all files of the page together are small', () => {
  for (const [page, most] of [['index.html', SIZE_MAX], ['alerts.html', SIZE_MAX], ['machine.html', 1.5 * SIZE_MAX]]) {
    const files = filesOf(page);
    assert.ok(files.length > 10, page);
    const size = files.reduce((sum, name) => sum + compressed(name), 0);
    assert.ok(size < most, `${page} is ${size} bytes compressed`);
  }
  assert.ok(!filesOf('index.html').some((name) => name.includes('uPlot')), 'charts are for the page of a machine');
  // Nothing is asked for only after something else has come.
  const preloaded = readFileSync(join(process.env.WEB, 'index.html'), 'utf8');
  for (const name of filesOf('index.html')) {
    assert.ok(name === 'index.html' || preloaded.includes(`/assets/${name}"`), name);
  }
});

// What has to be shown before the page is looked at; each begins with the machines as cards, unless it says otherwise.
const SCENES = {
  home: async () => {},
  table: () => world.page.getByRole('radio', { name: 'Table' }).check(),
  'nothing found': () => world.page.getByRole('searchbox').fill('nowhere'),
  'add a machine': async () => {
    await world.page.getByRole('button', { name: 'Add a machine' }).click();
    await world.page.locator('#dialog-invite input').fill('box5');
    await world.page.locator('#dialog-invite input').press('Enter');
    await world.page.getByText('Waiting for box5').waitFor();
  },
  ways: async () => {
    for (const summary of await world.page.locator('.reach:visible summary').all()) {
      await summary.click();
    }
  },
  'ways in the table': async () => {
    await world.page.getByRole('radio', { name: 'Table' }).check();
    for (const summary of await world.page.locator('td .reach:visible summary').all()) {
      await summary.click();
    }
  },
  'invite a person': async () => {
    await world.page.getByRole('button', { name: 'Invite a person' }).click();
    await world.page.locator('#dialog-invite input').first().fill('carol');
    await world.page.locator('#dialog-invite input').first().press('Enter');
    await world.page.getByText('Then say what carol may use').waitFor();
  },
  'a bad name': async () => {
    await world.page.getByRole('button', { name: 'Add a machine' }).click();
    await world.page.locator('#dialog-invite input').press('Enter');
    await world.page.getByText('A name has 3 to 31').waitFor();
  },
  sessions: async () => {
    await world.page.getByRole('button', { name: 'Sessions' }).click();
    await world.page.getByText('this browser').waitFor();
  },
};

for (const colorScheme of ['light', 'dark']) {
  for (const width of [360, 1440]) {
    test(`every page is accessible and fits, ${colorScheme}, ${width} px`, async () => {
      await world.context.close();
      await openBrowser({ colorScheme, viewport: { width, height: 900 }, reducedMotion: 'reduce' });
      const { page, stand } = world;
      const look = async (what) => {
        await check(what);
        if (process.env.SHOTS) {
          const name = `${what.replace(/\W+/g, '-')}-${colorScheme}-${width}.png`;
          await page.screenshot({ path: join(process.env.SHOTS, name), fullPage: true });
        }
      };
      for (const path of ['/', '/login/wrong', '/nothing']) {
        await page.goto(base() + path);
        await look(`page ${path}`);
      }
      await logIn();
      for (const [name, show] of Object.entries(SCENES)) {
        await page.reload();
        await page.waitForSelector(MACHINE);
        await show();
        await look(name);
        await page.evaluate(() => { localStorage.clear(); sessionStorage.clear(); });
      }
      for (const scene of ['offline', 'hostile', 'empty']) {
        await stand.order(`show ${scene}`);
        await page.reload();
        await page.waitForSelector(scene === 'empty' ? '#empty:visible' : MACHINE);
        for (const summary of await page.locator('.reach:visible summary').all()) {
          await summary.click();
        }
        await look(scene);
      }
      await stand.order('show hostile');
      await page.getByRole('radio', { name: 'Table' }).check();
      await page.getByRole('rowheader').first().waitFor();
      await look('hostile table');
      assert.ok(!world.complaints.some((one) => /Content Security Policy/.test(one)), String(world.complaints));
    });
  }
}
