// When alerts are told: thresholds and switches, for all machines or for one. Admins change them, others see them.
import { ask, order } from './api.js';
import { say } from './copy.js';
import { at, follow, make, makeHidden, setHidden, setText } from './dom.js';

const PATH = '/api/v1/alerts/settings';
// As people count: the relay counts in seconds and in parts of one.
const HOUR_UP = 7200;

function unitOf(setting) {
  if (setting.unit === 's') {
    return Number(setting.default) >= HOUR_UP ? { name: 'hours', factor: 3600 } : { name: 'minutes', factor: 60 };
  }
  if (setting.unit === 'share') {
    return { name: '%', factor: 0.01 };
  }
  return { name: setting.unit === 'celsius' ? '°C' : setting.unit ?? '', factor: 1 };
}

const rounded = (number) => String(Number(number.toPrecision(7)));
const shownOf = (setting) => rounded(Number(setting.value) / unitOf(setting).factor);
const isSwitch = (setting) => setting.unit === undefined;
const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

function createSetting(setting, change) {
  const node = make('li', 'setting');
  const words = make('label', 'setting-words', capital(setting.help));
  const value = make('div', 'setting-value');
  const input = make('input', isSwitch(setting) ? '' : 'input');
  const usual = make('button', 'button quiet small-button', 'Default');
  const whose = make('span', 'tag');
  input.id = `setting-${setting.name}`;
  input.type = isSwitch(setting) ? 'checkbox' : 'text';
  input.inputMode = 'decimal';
  words.htmlFor = input.id;
  usual.type = 'button';
  usual.append(makeHidden(` for ${setting.help}`));
  value.append(whose, usual, input);
  if (!isSwitch(setting)) {
    value.append(make('span', 'setting-unit', unitOf(setting).name));
  }
  node.append(words, value);
  input.addEventListener('change', () => {
    const typed = Number(input.value.replace(',', '.'));
    const number = Number.isFinite(typed) && input.value.trim() ? rounded(typed * unitOf(setting).factor) : input.value;
    change(setting, isSwitch(setting) ? (input.checked ? 'on' : 'off') : number);
  });
  usual.addEventListener('click', () => change(setting, 'default').then(() => input.focus()));
  return { node, input, usual, whose };
}

function updateSetting(part, setting, view) {
  const own = setting.set_for !== null && setting.set_for === (view.machine ?? 'all');
  if (isSwitch(setting)) {
    part.input.checked = setting.value === 'on';
  } else {
    part.input.value = shownOf(setting);
  }
  part.input.disabled = !view.admin;
  setText(part.whose, own && view.machine ? `for ${view.machine}` : own ? 'changed' : setting.set_for ? 'as for all' : '');
  setHidden(part.whose, part.whose.textContent === '');
  setHidden(part.usual, !own || !view.admin);
}

// Gives a function to call with the machines whenever they change.
export function prepareSettings(me) {
  const admin = me.role === 'admin';
  const select = at('settings-machine');

  function show({ settings }) {
    const view = { admin, machine: select.value || null };
    follow(at('settings'), settings, (one) => one.name, (one) => createSetting(one, change), (part, one) =>
      updateSetting(part, one, view));
  }

  async function attempt(what) {
    setText(at('settings-error'), '');
    try {
      show(await what());
      return true;
    } catch (error) {
      setText(at('settings-error'), `That did not work: ${error.message}.`);
      return false;
    }
  }

  const load = () => attempt(() => ask(select.value ? `${PATH}?machine=${encodeURIComponent(select.value)}` : PATH));

  async function change(setting, value) {
    const body = { machine: select.value || null, name: setting.name, value };
    if (await attempt(() => order('PUT', PATH, body))) {
      say('Saved.');
    } else {
      // What was typed is none: what is in force stands there again.
      const said = at('settings-error').textContent;
      await load();
      setText(at('settings-error'), said);
    }
  }

  select.addEventListener('change', load);
  setHidden(at('settings-hint'), admin);
  load();
  return (machines) => {
    const names = [...machines.keys()].sort();
    follow(select, [{ name: '', text: 'All machines' }, ...names.map((name) => ({ name, text: name }))], (one) => one.name,
      (one) => {
        const node = make('option', '', one.text);
        node.value = one.name;
        return { node };
      }, () => {});
  };
}
