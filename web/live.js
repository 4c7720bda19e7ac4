// The machines as they are now. Of all tabs of one user only one, the leader, has a connection to the relay: it holds a
// lock and tells the others what it hears. When it closes, the browser gives the lock to the next one. A browser
// without locks has a connection for each tab.

const EVENTS = '/api/v1/events';
const SILENCE_MS = 35000; // the relay says something every 15 s
const FIRST_MS = 10000; // until the first word of a new connection
const STEADY_MS = 5000; // a connection that lived so long is tried again at once
const WAITS_MS = [1000, 2000, 4000, 8000, 15000];
const QUIET_MS = 25000; // a follower then asks whether the leader is still awake
const ANSWER_MS = 1500; // and takes over when there is no answer: a tab in the background may be frozen

// Takes the text of a stream of events apart, in pieces of any size (HTML standard, section 9.2.6).
export function makeEventReader(hear) {
  let rest = '';
  let kind = '';
  let data = [];
  const line = (text) => {
    const [, field, value] = /^([^:]*)(?:: ?)?(.*)$/s.exec(text);
    if (text === '') {
      if (data.length) {
        hear(kind || 'message', data.join('\n'));
      }
      kind = '';
      data = [];
    } else if (field === 'event') {
      kind = value;
    } else if (field === 'data') {
      data.push(value);
    }
  };
  return (piece) => {
    const lines = (rest + piece).split('\n');
    rest = lines.pop();
    lines.forEach((one) => line(one.endsWith('\r') ? one.slice(0, -1) : one));
  };
}

export class Live {
  // `on.machines(map)` follows every change, `on.link({live, since, next, reason})` says how the connection is: not
  // live since then, tried again at `next` (0: right now); `on.ended()` is called when the session is over.
  constructor(name, on) {
    this.name = name;
    this.on = on;
    this.machines = null;
    this.link = { live: false, since: Date.now(), next: 0, reason: '' };
    this.heard = 0;
    this.running = false;
    this.leading = null;
  }

  start() {
    if (this.running) {
      return;
    }
    this.running = true;
    if (!navigator.locks || !window.BroadcastChannel) {
      this.lead();
      return;
    }
    this.channel = new BroadcastChannel(this.name);
    this.channel.onmessage = (event) => this.told(event.data);
    this.queue();
    this.greet();
    this.watch = setInterval(() => {
      if (!document.hidden && Date.now() - this.heard > QUIET_MS) {
        this.greet();
      }
    }, 5000);
  }

  stop() {
    this.running = false;
    clearInterval(this.watch);
    clearTimeout(this.greeting);
    this.waiting?.abort();
    this.release?.();
    this.retire();
    this.channel?.close();
    this.channel = null;
  }

  // Somebody looks again, or the network has changed (`doubt`): is the connection still good?
  poke(doubt) {
    if (!this.leading) {
      this.channel?.postMessage({ kind: 'poke' });
      this.greet();
    } else if (doubt || Date.now() - this.heard > QUIET_MS) {
      this.hurry = true;
      this.connection?.abort();
    }
    this.wake?.();
  }

  // The tabs among themselves

  queue(steal = false) {
    const waiting = new AbortController();
    this.waiting?.abort();
    this.waiting = waiting;
    const reign = () => {
      if (!this.running || this.waiting !== waiting) {
        return null;
      }
      this.lead();
      return new Promise((release) => { this.release = release; });
    };
    const options = steal ? { steal } : { signal: waiting.signal };
    navigator.locks.request(this.name, options, reign).catch(() => {
      // Either this tab gave up waiting, or another one took the lock away.
      if (this.running && !waiting.signal.aborted) {
        this.retire();
        this.queue();
      }
    });
  }

  greet() {
    if (!this.running || this.leading || !this.channel) {
      return;
    }
    const asked = Date.now();
    this.channel.postMessage({ kind: 'hello' });
    clearTimeout(this.greeting);
    this.greeting = setTimeout(() => {
      if (this.running && !this.leading && this.heard < asked) {
        this.queue(true);
      }
    }, ANSWER_MS);
  }

  told({ kind, ...what }) {
    if (this.leading) {
      if (kind === 'hello') {
        this.channel.postMessage({ kind: 'state', machines: this.machines, link: this.link });
      } else if (kind === 'poke') {
        this.poke(false);
      }
      return;
    }
    if (kind === 'hello' || kind === 'poke') {
      return;
    }
    this.heard = Date.now();
    if (kind === 'state') {
      this.machines = what.machines;
      this.setLink(what.link);
      this.show();
    } else if (kind === 'link') {
      this.setLink(what.link);
    } else if (kind === 'event') {
      this.take(what.name, what.data);
    }
  }

  tell(message) {
    if (this.leading) {
      this.channel?.postMessage(message);
    }
  }

  setLink(link) {
    this.link = link;
    this.tell({ kind: 'link', link });
    this.on.link(link);
  }

  show() {
    if (this.machines) {
      this.on.machines(this.machines);
    }
  }

  take(name, data) {
    this.tell({ kind: 'event', name, data });
    if (name === 'machines') {
      this.machines = new Map(data.map((machine) => [machine.name, machine]));
    } else if (name === 'machine') {
      this.machines?.set(data.name, data);
    } else if (name === 'gone') {
      this.machines?.delete(data.name);
    } else if (name === 'bye') {
      this.on.ended();
      return;
    }
    this.show();
  }

  // The connection to the relay

  async lead() {
    const term = this.leading = {};
    let failures = 0;
    this.setLink({ live: false, since: Date.now(), next: 0, reason: '' });
    while (this.leading === term) {
      const began = Date.now();
      this.hurry = false;
      const { welcome, ended, reason } = await this.listen();
      if (this.leading !== term) {
        return;
      }
      if (ended) {
        this.take('bye', null);
        return;
      }
      failures = welcome && Date.now() - began >= STEADY_MS ? 0 : failures + 1;
      await this.pause(failures === 0 || this.hurry ? 0 : WAITS_MS[Math.min(failures, WAITS_MS.length) - 1], reason);
    }
  }

  retire() {
    this.leading = null;
    this.connection?.abort();
    this.wake?.();
  }

  // Not all browsers come back in the same moment when a relay was restarted.
  async pause(wait, reason) {
    const rest = wait * (0.8 + 0.2 * Math.random());
    const since = this.link.live ? Date.now() : this.link.since;
    this.setLink({ live: false, since, next: rest && Date.now() + rest, reason });
    if (rest === 0) {
      return;
    }
    await new Promise((resolve) => {
      this.wake = resolve;
      setTimeout(resolve, rest);
    });
    this.wake = null;
    if (this.leading) {
      this.setLink({ ...this.link, next: 0 });
    }
  }

  // One connection, to its end.
  async listen() {
    const connection = this.connection = new AbortController();
    const result = { welcome: false, ended: false, reason: '' };
    let dead = 0;
    const alive = (ms) => {
      clearTimeout(dead);
      dead = setTimeout(() => connection.abort(), ms);
      this.heard = Date.now();
    };
    const push = makeEventReader((name, text) => {
      this.take(name, JSON.parse(text));
      result.welcome ||= name === 'machines';
      if (result.welcome && !this.link.live) {
        this.setLink({ live: true, since: Date.now(), next: 0, reason: '' });
      }
    });
    try {
      alive(FIRST_MS);
      const response = await fetch(EVENTS, {
        cache: 'no-store', headers: { Accept: 'text/event-stream' }, signal: connection.signal,
      });
      result.ended = response.status === 401;
      if (!response.ok) {
        result.reason = `it answered with error ${response.status}`;
        return result;
      }
      const decoder = new TextDecoder();
      const reader = response.body.getReader();
      for (let part = await reader.read(); !part.done; part = await reader.read()) {
        alive(SILENCE_MS);
        this.tell({ kind: 'beat' });
        push(decoder.decode(part.value, { stream: true }));
      }
    } catch {
      // Broken off, by the other side or by us: the caller tries again.
    } finally {
      clearTimeout(dead);
      connection.abort();
    }
    return result;
  }
}
