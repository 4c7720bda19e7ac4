// A relay of made-up answers for the pages that show much: the files of web/ as they are, events that can be sent, and an
// API whose state the tests set and look at. What the real relay answers is tested elsewhere (test_api.py, whole.test.mjs).
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import { basename, join } from 'node:path';
import { machines, me, payOf, settings } from './mock_data.mjs';
import { historyOf } from './mock_history.mjs';

const WEB = process.env.WEB;
const TYPES = { html: 'text/html', css: 'text/css', js: 'text/javascript', svg: 'image/svg+xml' };
const POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
  + "form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

class Refusal extends Error {
  constructor(status, text) {
    super(text);
    this.status = status;
  }
}

const fileOf = (name) => join(WEB, name.startsWith('uPlot') ? `vendor/uplot/${name}` : name);

export class Mock {
  listeners = new Set();
  orders = []; // what was ordered: [method, path, body]

  constructor(now = Date.now()) {
    this.me = me();
    this.machines = machines(now);
    this.pay = { box1: payOf(now) };
    this.settings = settings();
    this.channels = [];
    this.quiet = {};
    this.past = [];
    this.refuse = null; // [status, text] for the next order
  }

  async start() {
    this.server = http.createServer((request, response) => this.answer(request, response)).listen(0, '127.0.0.1');
    await once(this.server, 'listening');
    this.origin = `http://localhost:${this.server.address().port}`;
    return this;
  }

  async stop() {
    this.server.closeAllConnections();
    this.server.close();
    await once(this.server, 'close');
  }

  machine(name) {
    const found = this.machines.find((one) => one.name === name);
    if (!found) throw new Refusal(404, 'there is no machine of that name that you may see');
    return found;
  }

  // Changes a machine, and tells it to all who listen.
  change(name, how) {
    how(this.machine(name));
    for (const listener of this.listeners) this.send(listener, 'machine', this.machine(name));
  }

  send(listener, kind, data) {
    listener.write(`event: ${kind}\ndata: ${JSON.stringify(data)}\n\n`);
  }

  page(response, name) {
    response.writeHead(200, { 'Content-Type': `${TYPES[name.split('.').pop()]}; charset=utf-8`,
      'Content-Security-Policy': POLICY, 'Cache-Control': 'no-store' });
    response.end(readFileSync(fileOf(basename(name))));
  }

  async answer(request, response) {
    const url = new URL(request.url, this.origin);
    const parts = url.pathname.split('/').slice(1);
    const pieces = [];
    for await (const piece of request) pieces.push(piece);
    const body = pieces.length ? JSON.parse(Buffer.concat(pieces)) : undefined;
    try {
      if (parts[0] === 'assets') this.page(response, parts[1]);
      else if (parts[0] === 'machines') this.page(response, 'machine.html');
      else if (parts[0] !== 'api') this.page(response, `${parts[0] || 'index'}.html`);
      else if (parts[2] === 'events') this.listen(response);
      else this.reply(response, ...this.api(request.method, parts.slice(2), body, url.searchParams));
    } catch (error) {
      this.reply(response, { error: error.message }, error.status ?? 500);
    }
  }

  reply(response, value, status = value === undefined ? 204 : 200) {
    response.writeHead(status, { 'Content-Type': 'application/json', Date: new Date().toUTCString() });
    response.end(value === undefined ? undefined : JSON.stringify(value));
  }

  listen(response) {
    response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' });
    this.send(response, 'machines', this.machines);
    this.listeners.add(response);
    response.on('close', () => this.listeners.delete(response));
  }

  // Gives [value, status].
  api(method, [what, ...rest], body, query) {
    if (method !== 'GET') {
      this.orders.push([method, [what, ...rest].join('/'), body]);
      const refused = this.refuse;
      this.refuse = null;
      if (refused) throw new Refusal(...refused);
    }
    if (what === 'me') return [this.me];
    if (what === 'sessions') return [[]];
    if (what === 'machines') return this.ofMachine(method, rest, body, query);
    if (what === 'alerts') return this.ofAlerts(method, rest, body, query);
    throw new Refusal(404, 'there is nothing at this address');
  }

  ofMachine(method, [name, what, id], body, query) {
    const machine = this.machine(name);
    if (what === undefined) return [machine];
    if (what === 'history') {
      const answer = historyOf(machine, query.get('from'), query.get('to'));
      return [this.lost ? { ...answer, lost: this.lost } : answer];
    }
    if (what === 'claims') return this.ofClaims(method, machine, id, body);
    if (what === 'services') {
      this.change(name, (one) => Object.assign(one.services.find((service) => service.name === id),
        { state: method === 'POST' ? 'up' : 'found' }));
      return [];
    }
    if (what === 'wake') return [{ through: 'box2' }, 202];
    if (what === 'pay') {
      if (method === 'PUT') this.pay[name] = { ...this.pay[name], ...body };
      return [this.pay[name] ?? {}];
    }
    throw new Refusal(404, 'there is nothing at this address');
  }

  ofClaims(method, machine, id, body) {
    const others = (gpu) => (machine.claims ?? []).filter((one) => one.gpu !== gpu);
    const now = Date.now();
    if (method === 'DELETE') {
      this.change(machine.name, (one) => { one.claims = others(Number(id)); });
      return [];
    }
    const claim = { gpu: body.gpu, user: this.me.name, since: new Date(now).toISOString(),
      until: new Date(now + body.for_s * 1000).toISOString(), ...(body.note && { note: body.note }) };
    this.change(machine.name, (one) => { one.claims = [...others(body.gpu), claim]; });
    return [claim, 201];
  }

  ofAlerts(method, [what, id, test], body, query) {
    if (what === undefined) {
      const on = this.machines.flatMap((one) => (one.alerts ?? []).map((alert) => ({ ...alert, machine: one.name })));
      return [{ on, past: this.past }];
    }
    if (what === 'channels') return this.ofChannels(method, id, test, body);
    if (what === 'quiet') {
      if (method === 'PUT') this.quiet = body;
      return [this.quiet];
    }
    return [this.ofSettings(method, method === 'PUT' ? body : { machine: query.get('machine') }, body)];
  }

  ofChannels(method, id, test, body) {
    const channel = this.channels.find((one) => one.id === Number(id));
    if (method === 'GET') return [this.channels];
    if (test) {
      Object.assign(channel, { tested: new Date().toISOString(), test_ok: !this.trouble, trouble: this.trouble });
      return [{ queued: true }, 202];
    }
    if (method === 'DELETE') {
      this.channels = this.channels.filter((one) => one !== channel);
      return [];
    }
    const made = { id: this.channels.length + 1, user: this.me.name, private: false, created: new Date().toISOString(),
      waiting: 0, ...body };
    this.channels.push(made);
    return [made, 201];
  }

  ofSettings(method, { machine }, body) {
    const scope = machine ?? 'all';
    if (method === 'PUT') {
      const setting = this.settings.find((one) => one.name === body.name);
      const isDefault = body.value === 'default';
      Object.assign(setting, { value: isDefault ? setting.default : body.value, set_for: isDefault ? null : scope });
    }
    return { settings: this.settings };
  }
}
