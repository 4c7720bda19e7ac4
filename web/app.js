// The page of machines: brings together what the relay says, what the user has chosen, and what is shown.
import { filterMachines, recallChoice, rememberChoice, sortMachines } from './choice.js';
import { say } from './copy.js';
import { makeDialog } from './dialog.js';
import { at, setHidden, setText } from './dom.js';
import { makeInvite } from './invite.js';
import { showCards, showRows } from './machines.js';
import { now, startPage, state } from './shell.js';

const TYPING_MS = 700;

const choice = recallChoice();
const forms = [];

// Each service has a name of its own below the relay's, which an address cannot have.
function explainNoLinks() {
  const host = state.me.relay_host;
  const named = new URL(`${location.protocol}//${host.includes(':') ? `[${host}]` : host}`);
  named.port = location.port;
  const better = named.host !== location.host;
  setHidden(at('why-better'), !better);
  setHidden(at('why-none'), better);
  at('why-link').href = named.href;
  setText(at('why-link'), named.href);
}

function drawList(shown) {
  const table = choice.form === 'table';
  const view = { me: state.me, now: now() };
  showCards(at('machines'), table ? [] : shown, view);
  showRows(at('rows'), table ? shown : [], view);
  setHidden(at('machines'), table || shown.length === 0);
  setHidden(at('table'), !table || shown.length === 0);
}

function drawSummary(all, shown) {
  const online = all.filter((machine) => machine.online).length;
  const part = choice.filter.trim() ? `, ${shown.length} shown` : '';
  setText(at('summary'), all.length ? `${online} of ${all.length} online${part}` : '');
  setHidden(at('none'), all.length === 0 || shown.length > 0);
  setText(at('none-filter'), choice.filter.trim());
  setHidden(at('hint'), online === 0 || shown.length === 0);
}

function drawAround(all) {
  const admin = state.me.role === 'admin';
  setHidden(at('empty'), all.length > 0);
  setHidden(at('empty-admin'), !admin);
  setHidden(at('empty-member'), admin);
  setHidden(at('add'), !admin || all.length === 0);
  setHidden(at('tools'), all.length === 0);
  setHidden(at('why'), state.me.services_suffix !== undefined || !all.some(
    (machine) => (machine.services ?? []).some((service) => service.kind === 'http')));
}

function draw() {
  explainNoLinks();
  if (!state.machines) {
    return undefined;
  }
  const all = [...state.machines.values()];
  const shown = sortMachines(filterMachines(all, choice.filter), choice.sort);
  drawList(shown);
  drawSummary(all, shown);
  drawAround(all);
  return shown;
}

// What the user chooses

function choose(change) {
  Object.assign(choice, change);
  rememberChoice(choice);
  return draw();
}

function prepareFilter() {
  const filter = at('filter');
  let timer = 0;
  filter.value = choice.filter;
  const apply = () => {
    const shown = choose({ filter: filter.value }) ?? [];
    clearTimeout(timer);
    timer = setTimeout(() => say(`${shown.length} ${shown.length === 1 ? 'machine' : 'machines'} shown`), TYPING_MS);
  };
  const clear = () => {
    filter.value = '';
    apply();
    filter.focus();
  };
  filter.addEventListener('input', apply);
  filter.addEventListener('keydown', (event) => {
    if (event.key === 'Escape' && filter.value) {
      event.preventDefault();
      clear();
    }
  });
  at('none-clear').addEventListener('click', clear);
  document.addEventListener('keydown', (event) => {
    const typing = event.target.closest('input, select, textarea, dialog');
    if (event.key === '/' && !typing && !event.ctrlKey && !event.metaKey && !event.altKey && !at('tools').hidden) {
      event.preventDefault();
      filter.focus();
      filter.select();
    }
  });
}

function prepareTools() {
  prepareFilter();
  at('sort').value = choice.sort;
  at('sort').addEventListener('change', () => choose({ sort: at('sort').value }));
  for (const input of document.querySelectorAll('input[name="form"]')) {
    input.checked = input.value === choice.form;
    input.addEventListener('change', () => choose({ form: input.value }));
  }
}

function prepareInvites() {
  const dialog = makeDialog('invite', '');
  const who = () => state.me;
  dialog.body.id = 'dialog-invite';
  forms[0] = makeInvite(at('empty-invite'), 'machine', who);
  const offer = (kind, title) => {
    at(`add-${kind}`).addEventListener('click', () => {
      // Afresh each time: an old line may be used up.
      forms[1] = makeInvite(dialog.body, kind, who);
      forms[1](state.machines);
      setText(dialog.title, title);
      dialog.node.showModal();
      dialog.body.querySelector('input').focus();
    });
  };
  offer('machine', 'Add a machine');
  offer('user', 'Invite a person');
}

startPage({
  draw,
  prepare: () => {
    prepareTools();
    prepareInvites();
  },
  changed: (machines) => forms.forEach((form) => form(machines)),
});
