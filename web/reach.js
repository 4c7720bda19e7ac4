// How a machine is reached past the relay, or why it is not: to unfold, on its card and in its row.
import { follow, make, setHidden, setText, setTicking } from './dom.js';
import { agoText, routeText } from './text.js';

const KINDS = { mapped: 'mapped', ipv6: 'IPv6', lan: 'for those on its own network', observed: 'no router between' };
const MAPPERS = { upnp: 'UPnP', 'nat-pmp': 'NAT-PMP', pcp: 'PCP' };
const ORDER = ['mapped', 'observed', 'ipv6'];

const isWay = (candidate) => ORDER.includes(candidate.kind);
const addressText = (candidate) => `${candidate.address} port ${candidate.port}`;
const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

function kindText(candidate) {
  const by = candidate.by ? ` by ${MAPPERS[candidate.by] ?? candidate.by}` : '';
  return `${KINDS[candidate.kind] ?? candidate.kind}${by}${candidate.to === 'sshd' ? ', sshd itself' : ''}`;
}

// `known` is the reason that was said already.
function stateText(candidate, now, known) {
  const checked = candidate.checked ? ` ${agoText(now - Date.parse(candidate.checked))}` : '';
  if (candidate.state === 'verified') {
    return `proved from outside${checked}`;
  }
  if (candidate.state === 'failed') {
    const why = candidate.text && candidate.text !== known ? `: ${candidate.text}` : '';
    return `failed${checked}${why}`;
  }
  // The relay never asks for addresses that mean something at home only.
  return isWay(candidate) ? 'not proved yet' : '';
}

const wayText = (candidate, now, known) =>
  [kindText(candidate), stateText(candidate, now, known)].filter(Boolean).join(', ');

function provedOf(reach) {
  const proved = (reach.candidates ?? []).filter((candidate) => isWay(candidate) && candidate.state === 'verified');
  return proved.sort((a, b) => ORDER.indexOf(a.kind) - ORDER.indexOf(b.kind))[0];
}

// What to say first, and below it.
function summaryText(reach) {
  return provedOf(reach) ? `Direct way: ${addressText(provedOf(reach))}` : 'Why is there no direct way?';
}

// What others have written stands apart, so that it cannot turn round what is said of it.
function makeReason() {
  const node = make('p', 'reach-reason');
  const why = make('bdi');
  const then = make('span');
  node.append(why, then);
  return { node, why, then };
}

function setReason(part, reach) {
  const proved = provedOf(reach);
  setText(part.why, proved ? '' : capital(reach.reason || 'no reason is known'));
  setText(part.then, proved ? 'The sallyport client takes it. Browsers and ssh alone go through the relay.'
    : '. Streams go through the relay.');
}

// Host keys

const KEY_TYPES = { 'ssh-ed25519': 'ED25519', 'ssh-rsa': 'RSA' };

// As `ssh-keygen -l` and ssh show it.
async function fingerprint(blob) {
  const bytes = Uint8Array.from(atob(blob), (c) => c.charCodeAt(0));
  const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  return `SHA256:${btoa(String.fromCharCode(...hash)).replace(/=+$/, '')}`;
}

function createKey(line) {
  const [type, blob] = line.split(' ');
  const node = make('li');
  const code = make('code');
  const name = KEY_TYPES[type] ?? (type.startsWith('ecdsa') ? 'ECDSA' : type);
  node.append(`${name} `, code);
  fingerprint(blob).then((text) => setText(code, text), () => setText(code, 'cannot be read'));
  return { node };
}

// On a card

function createCandidate() {
  const node = make('li');
  const address = make('span', 'way-address');
  const detail = make('span', 'way-detail');
  node.append(address, ' ', detail);
  return { node, address, detail };
}

function updateCandidate(part, candidate, now, known) {
  setText(part.address, addressText(candidate));
  setTicking(part.detail, (then) => wayText(candidate, then, known), now);
}

// `node` is to be put into the card.
export function createReach() {
  const part = {
    node: make('details', 'reach'),
    summary: make('summary'),
    reason: makeReason(),
    ways: make('ul', 'ways'),
    keysName: make('p', 'reach-keys', 'Host keys of its sshd'),
    keys: make('ul', 'ways'),
  };
  part.node.append(part.summary, part.reason.node, part.ways, part.keysName, part.keys);
  return part;
}

export function updateReach(part, machine, now) {
  const reach = machine.online ? machine.reach : undefined;
  const keys = [...new Set(reach ? machine.ssh_host_keys ?? [] : [])];
  setHidden(part.node, !reach);
  if (!reach) {
    return;
  }
  const candidates = reach.candidates ?? [];
  setText(part.summary, summaryText(reach));
  setReason(part.reason, reach);
  follow(part.ways, candidates, (one) => `${one.kind} ${addressText(one)}`, createCandidate, (way, candidate) =>
    updateCandidate(way, candidate, now, reach.reason));
  follow(part.keys, keys, (line) => line, createKey, () => {});
  setHidden(part.ways, candidates.length === 0);
  setHidden(part.keysName, keys.length === 0);
  setHidden(part.keys, keys.length === 0);
}

// In a row: the route, which unfolds to the reason

export function createRoute() {
  const node = make('div');
  const plain = make('span');
  const details = make('details', 'reach');
  const summary = make('summary');
  const way = make('p', 'reach-reason');
  const reason = makeReason();
  details.append(summary, way, reason.node);
  node.append(plain, details);
  return { node, plain, details, summary, way, reason };
}

export function updateRoute(part, machine, now) {
  const route = machine.online && machine.route ? routeText(machine.route) : '';
  const reach = machine.online ? machine.reach : undefined;
  const proved = reach && provedOf(reach);
  setText(part.plain, reach ? '' : route);
  setText(part.summary, reach ? route : '');
  setHidden(part.details, !reach);
  setHidden(part.way, !proved);
  setHidden(part.reason.node, Boolean(proved));
  setTicking(part.way, (then) => (proved ? `${addressText(proved)}, ${wayText(proved, then)}.` : ''), now);
  if (reach) {
    setReason(part.reason, reach);
  }
}
