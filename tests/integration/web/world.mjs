// Real programs in one temporary folder for the browser's tests: relay, agent, Jupyter, a person with a key; and a
// piece of network that can be frozen or cut. Wants RELAY and AGENT (the programs).
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';

export const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';
export const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync'];
// Sanitized programs are several times slower.
export const STRETCH = process.env.SALLYPORT_SANITIZED === '1' ? 3 : 1;

const runFile = promisify(execFile);

export async function run(program, ...args) {
  const { stdout } = await runFile(program, args.map(String), { timeout: 60_000 * STRETCH });
  return stdout;
}

// Asks until the answer is true, and returns it.
export async function until(what, question, seconds = 30) {
  const deadline = Date.now() + seconds * 1000 * STRETCH;
  let last;
  for (;;) {
    try {
      const answer = await question();
      if (answer) return answer;
    } catch (error) {
      last = error;
    }
    if (Date.now() > deadline) throw new Error(`waited in vain for ${what}${last ? `: ${last.message}` : ''}`);
    await pause(100);
  }
}

export async function freePort() {
  for (;;) {
    const port = 20000 + Math.floor(Math.random() * 12000);
    const probe = net.createServer().listen(port, '127.0.0.1');
    const free = await once(probe, 'listening').then(() => true, () => false);
    if (free) {
      probe.close();
      await once(probe, 'close');
      return port;
    }
  }
}

// A TCP port in front of another one: the stretch of network between the laptop and the relay.
export class Cable {
  #pairs = new Set();
  #cut = false;
  #frozen = false;

  async lay(port, to) {
    this.server = net.createServer((near) => this.#accept(near, to)).listen(port, '127.0.0.1');
    await once(this.server, 'listening');
    return this;
  }

  #accept(near, to) {
    if (this.#cut) {
      near.resetAndDestroy();
      return;
    }
    const far = net.connect(to, '127.0.0.1');
    const pair = [near, far];
    this.#pairs.add(pair);
    for (const [from, into] of [pair, [far, near]]) {
      from.setNoDelay(true);
      from.on('error', () => {});
      from.on('close', () => { this.#pairs.delete(pair); into.destroy(); });
      from.pipe(into);
    }
    if (this.#frozen) this.#hold(pair);
  }

  #hold([near, far]) {
    near.unpipe(far);
    far.unpipe(near);
    near.pause();
    far.pause();
  }

  // Nothing passes, nothing is lost, nobody is told: packets that are sent again and again.
  freeze() {
    this.#frozen = true;
    this.#pairs.forEach((pair) => this.#hold(pair));
  }

  // Every connection breaks off and none can be made: the address is gone.
  cut() {
    this.#cut = true;
    this.#pairs.forEach(([near, far]) => { near.resetAndDestroy(); far.resetAndDestroy(); });
  }

  mend() {
    this.#cut = false;
    this.#frozen = false;
    this.#pairs.forEach(([near, far]) => { near.pipe(far); far.pipe(near); });
  }

  close() {
    this.cut();
    this.server.close();
  }
}

class Program {
  constructor(world, name, argv, options = {}) {
    this.name = name;
    this.log = join(world.dir, `${name}.log`);
    const log = createWriteStream(this.log, { flags: 'a' });
    // Should the test be killed, the kernel ends the program.
    this.child = spawn('setpriv', ['--pdeathsig', 'KILL', ...argv.map(String)],
      { stdio: ['ignore', 'pipe', 'pipe'], ...options });
    this.child.stdout.pipe(log);
    this.child.stderr.pipe(log);
  }

  text() {
    return readFileSync(this.log, 'utf8');
  }

  ended() {
    return this.child.exitCode !== null || this.child.signalCode !== null;
  }

  async says(pattern) {
    await until(`${this.name} to say ${pattern}`, () => {
      if (this.ended()) throw new Error(`${this.name} ended: ${this.text().slice(-2000)}`);
      return pattern.test(this.text());
    });
  }

  // Its exit status.
  async stop() {
    if (!this.ended()) {
      const gone = once(this.child, 'exit');
      this.child.kill('SIGTERM');
      await gone;
    }
    return this.child.exitCode;
  }
}

export class World {
  #programs = [];
  #ends = [];

  constructor() {
    this.dir = mkdtempSync(join(tmpdir(), 'sallyport-browser-'));
  }

  path(...names) {
    return join(this.dir, ...names);
  }

  folder(name) {
    mkdirSync(this.path(name), { recursive: true, mode: 0o700 });
    return this.path(name);
  }

  atEnd(end) {
    this.#ends.push(end);
  }

  start(name, argv, options) {
    const program = new Program(this, name, argv, options);
    this.#programs.push(program);
    return program;
  }

  // People dial `port`, where the cable begins. To a browser all names below `relay.localhost` are one site;
  // `localhost` itself, like a top-level domain, holds none together.
  async relay(name = 'localhost') {
    this.name = name;
    this.behind = await freePort();
    this.port = await freePort();
    this.cable = await new Cable().lay(this.port, this.behind);
    this.atEnd(() => this.cable.close());
    writeFileSync(this.path('relay.ini'), `public_port = ${this.port}\nname = ${name}\n`);
    this.relayProgram = this.start('relay', [process.env.RELAY, 'run', '--state', this.folder('relay-state'),
      '--config', this.path('relay.ini'), '--listen', `127.0.0.1:${this.behind}`]);
    await this.relayProgram.says(/listening on/);
    await this.key('alice');
    await this.ctl('user', 'add', 'alice', '--admin', readFileSync(this.path('alice.pub'), 'utf8').trim());
    return this;
  }

  async key(name) {
    await run('ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', this.path(name));
  }

  ctl(...words) {
    return run(process.env.RELAY, 'ctl', '--state', this.path('relay-state'), ...words);
  }

  // A machine that publishes these ports as services of kind http, and what it finds below `home`; with more lines for
  // its configuration, and more environment.
  async machine(name, services, home = this.folder(`${name}-home`), more = { lines: '', env: {} }) {
    const config = Object.entries(services)
      .map(([service, port]) => `[service ${service}]\nport = ${port}\nkind = http\n`);
    writeFileSync(this.path(`${name}.ini`), more.lines + config.join(''));
    const url = /sallyport:\/\/[^\s'"]+/.exec(await this.ctl('invite', 'machine', name))[0];
    // The cable is the laptop's alone.
    await run(process.env.AGENT, 'join', '--state', this.folder(`${name}-state`),
      url.replace(`//${this.name}:${this.port}/`, `//127.0.0.1:${this.behind}/`));
    const env = { ...process.env, HOME: home, ...more.env };
    for (const variable of ['XDG_DATA_HOME', 'XDG_RUNTIME_DIR', 'JUPYTER_DATA_DIR', 'JUPYTER_RUNTIME_DIR']) {
      delete env[variable];
    }
    return this.start(name, [process.env.AGENT, 'run', '--state', this.path(`${name}-state`), '--config',
      this.path(`${name}.ini`)], { env });
  }

  async service(machine, name) {
    return until(`${name} on ${machine}`, async () => {
      const found = JSON.parse(await this.ctl('list', '--json')).find((one) => one.name === machine);
      return found.online && found.services.some((one) => one.name === name && one.state === 'up');
    }, 60);
  }

  // Debian's Notebook 6, as somebody would start it.
  async notebook(home) {
    const port = await freePort();
    const env = { ...process.env, HOME: home, JUPYTER_NO_CONFIG: '1', SHELL: '/bin/sh', PS1: '$ ' };
    for (const variable of ['XDG_DATA_HOME', 'XDG_RUNTIME_DIR', 'JUPYTER_DATA_DIR', 'JUPYTER_RUNTIME_DIR',
      'JUPYTER_TOKEN']) {
      delete env[variable];
    }
    const program = this.start('notebook', ['jupyter-notebook', '--no-browser', '--ip=127.0.0.1', `--port=${port}`,
      '--port-retries=0', '--allow-root', `--notebook-dir=${this.folder('notebooks')}`],
    { env, cwd: this.path('notebooks') });
    await program.says(/is running at/);
    program.port = port;
    [, program.token] = /token=([0-9a-f]+)/.exec(program.text());
    return program;
  }

  // A new one-time link, as `ssh relay login` prints it.
  async link() {
    const said = await run('ssh', '-F', '/dev/null', '-p', this.port, '-i', this.path('alice'), '-o',
      'IdentitiesOnly=yes', '-o', 'IdentityAgent=none', '-o', 'StrictHostKeyChecking=no', '-o',
      `UserKnownHostsFile=${this.path('known-hosts')}`, '-o', 'BatchMode=yes', '-o', 'LogLevel=ERROR',
      'alice@127.0.0.1', 'login');
    return /https?:\/\/\S+\/login\/[\w-]{43}/.exec(said)[0];
  }

  origin(service, scheme = 'https') {
    return `${scheme}://${service ? `${service}.` : ''}${this.name}:${this.port}`;
  }

  logs() {
    return this.#programs.map((program) => `--- ${program.name}\n${program.text().slice(-3000)}`).join('\n');
  }

  // Ends all; the programs that are ours must end well.
  async close() {
    const wrong = [];
    for (const end of this.#ends.reverse()) await end();
    for (const program of this.#programs.reverse()) {
      const status = await program.stop();
      if (program.name !== 'notebook' && status !== 0) wrong.push(`${program.name} ended with ${status}`);
      if (/AddressSanitizer|LeakSanitizer|runtime error:/.test(program.text())) wrong.push(program.text().slice(-4000));
    }
    if (wrong.length) throw new Error(wrong.join('\n'));
    rmSync(this.dir, { recursive: true });
  }
}
