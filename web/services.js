// The services of a machine: links, lines to paste, notebooks, and those that were found but are not published.
import { order } from './api.js';
import { makeLine, makeShortLine, say } from './copy.js';
import { follow, make, makeHidden, setHidden, setText } from './dom.js';
import { forwardLine, forwardedUrl, jumpLine, openPath, serviceTitle } from './text.js';

const isUp = (service) => service.state === 'up';
const isFound = (service) => service.state === 'found';
const hasLink = (view, service) => service.kind === 'http' && view.me.services_suffix !== undefined;
const lineOf = (view, machine, service) =>
  (service.kind === 'ssh' ? jumpLine(view.me, machine) : forwardLine(view.me, machine, service));

const publishPath = (machine, service) =>
  `/api/v1/machines/${encodeURIComponent(machine.name)}/services/${encodeURIComponent(service.name)}`;

function setHref(link, href) {
  if (link.getAttribute('href') !== href) {
    link.setAttribute('href', href);
  }
}

function makeLink(className, text) {
  const link = make('a', className, text);
  link.target = '_blank';
  link.rel = 'noopener';
  return link;
}

// Notebooks

function createNotebook() {
  const node = make('li', 'notebook');
  const name = make('span', 'notebook-name');
  const detail = make('span', 'notebook-detail');
  node.append(name, ' ', detail);
  return { node, name, detail };
}

function updateNotebook(part, notebook) {
  const busy = notebook.state === 'busy';
  setText(part.name, notebook.name);
  setText(part.detail, [notebook.kernel, busy ? 'running' : 'idle'].filter(Boolean).join(', '));
  part.node.classList.toggle('busy', busy);
}

function updateNotebooks(part, service) {
  const seen = new Map();
  const items = (isUp(service) ? service.notebooks ?? [] : []).map((notebook) => {
    const nth = (seen.get(notebook.name) ?? 0) + 1;
    seen.set(notebook.name, nth);
    return { ...notebook, key: `${nth} ${notebook.name}` };
  });
  const more = Math.max(0, (service.notebook_count ?? 0) - items.length);
  follow(part.list, items, (item) => item.key, createNotebook, updateNotebook);
  setText(part.more, items.length ? `and ${more} more` : '');
  setHidden(part.more, items.length === 0 || more === 0);
  setHidden(part.list, items.length === 0);
}

// Services on a card

function stateText(service) {
  if (isFound(service)) {
    return [service.detail, `found on port ${service.port}, not published`].filter(Boolean).join(' · ');
  }
  return isUp(service) ? service.detail ?? '' : 'not running';
}

// A button for admins, which publishes what was found, or takes that back.
function makePublish(machine, service) {
  const button = make('button', 'button');
  const word = make('span');
  const error = make('p', 'error small');
  const part = { button, word, error, published: false };
  button.type = 'button';
  button.append(word, makeHidden(` ${service.name} on ${machine.name}`));
  error.setAttribute('role', 'alert');
  button.addEventListener('click', async () => {
    const { published } = part;
    button.disabled = true;
    setText(error, '');
    try {
      await order(published ? 'DELETE' : 'POST', publishPath(machine, service));
      say(`${service.name} is ${published ? 'not published any more' : 'published'}.`);
    } catch (problem) {
      setText(error, `That did not work: ${problem.message}.`);
    }
    button.disabled = false;
  });
  return part;
}

function updatePublish(part, view, service) {
  const found = isFound(service);
  part.published = !found;
  part.button.classList.toggle('quiet', !found);
  setText(part.word, found ? 'Publish' : 'Stop publishing');
  // On cards there is only the one that people look for.
  setHidden(part.button, !service.changeable || view.me.role !== 'admin' || (!found && !view.all));
}

function createService(machine, service) {
  const node = make('li', 'service');
  const head = make('div', 'service-head');
  const words = make('div', 'service-words');
  const detail = make('p', 'service-detail');
  const open = makeLink('button open', 'Open');
  open.append(makeHidden(` ${service.name} on ${machine.name} in a new tab`));
  const { line, code } = makeLine(`the line for ${service.name} on ${machine.name}`);
  const then = make('p', 'service-then', 'Then open ');
  const url = makeLink('');
  const list = make('ul', 'notebooks');
  const more = make('p', 'service-detail');
  list.setAttribute('aria-label', `Running notebooks of ${service.name} on ${machine.name}`);
  const publish = makePublish(machine, service);
  then.append(url);
  words.append(make('h3', '', serviceTitle(service)), detail);
  head.append(words, open, publish.button);
  node.append(head, publish.error, list, more, line, then);
  return { node, detail, open, line, code, then, url, list, more, publish };
}

function updateService(part, view, machine, service) {
  const up = isUp(service);
  const linked = hasLink(view, service);
  setText(part.detail, stateText(service));
  setHidden(part.detail, part.detail.textContent === '');
  updatePublish(part.publish, view, service);
  setHidden(part.open, !up || !linked);
  setHref(part.open, openPath(machine, service));
  setHidden(part.line, !up || linked);
  setText(part.code, lineOf(view, machine, service));
  setHidden(part.then, !up || linked || service.kind !== 'http');
  setHref(part.url, forwardedUrl(service));
  setText(part.url, forwardedUrl(service));
  updateNotebooks(part, service);
}

// Services in a table row: a link each, or a button that copies the line

function createChip(machine, service) {
  const node = make('li');
  const open = makeLink('chip', serviceTitle(service));
  open.append(makeHidden(` on ${machine.name}, opens in a new tab`));
  const { line, code } = makeShortLine(serviceTitle(service), `the line for ${service.name} on ${machine.name}`);
  node.append(open, line);
  return { node, open, line, code };
}

function updateChip(part, view, machine, service) {
  const linked = hasLink(view, service);
  setHidden(part.open, !linked);
  setHref(part.open, openPath(machine, service));
  setHidden(part.line, linked);
  setText(part.code, lineOf(view, machine, service));
  part.line.title = part.code.textContent;
}

// `view` is { me, now, all }: who looks, the relay's time, and whether everything is to be shown.
export function followServices(list, machine, view) {
  const services = machine.online ? machine.services ?? [] : [];
  follow(list, services, (service) => service.name, (service) => createService(machine, service), (part, service) =>
    updateService(part, view, machine, service));
  setHidden(list, services.length === 0);
}

export function followChips(list, machine, view) {
  const services = machine.online ? (machine.services ?? []).filter(isUp) : [];
  follow(list, services, (service) => service.name, (service) => createChip(machine, service), (part, service) =>
    updateChip(part, view, machine, service));
}
