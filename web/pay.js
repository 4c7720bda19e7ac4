// Does the machine pay? What its GPUs would have cost elsewhere, beside what it cost and what it uses.
import { ask, order } from './api.js';
import { say } from './copy.js';
import { at, follow, make, setHidden, setText } from './dom.js';
import { createMeter, updateMeter } from './meter.js';
import { followTable, makeTable } from './table.js';
import { DASH, amountText } from './text.js';

const FIELDS = [
  ['machine_price', 'The machine cost', 'number', '3200'],
  ['power_price_per_kwh', 'A kWh costs', 'number', '0.30'],
  ['cloud_price_per_gpu_hour', 'A GPU-hour elsewhere costs', 'number', 'by the GPU’s name'],
  ['since', 'Counted since', 'date', ''],
  ['currency', 'Currency', 'text', 'EUR'],
];

// Currencies come as anything that somebody has typed.
function moneyText(amount, currency) {
  if (amount === undefined) {
    return DASH;
  }
  try {
    return new Intl.NumberFormat(undefined, { style: 'currency', currency: currency ?? '' }).format(amount);
  } catch {
    return `${amount.toFixed(2)} ${currency ?? ''}`.trim();
  }
}

const dayText = (day) => new Date(`${day.slice(0, 10)}T12:00:00`).toLocaleDateString(undefined, { dateStyle: 'long' });

function verdictText(pay) {
  if (pay.machine_price === undefined || pay.saved === undefined) {
    return 'Too little is known yet to say so.';
  }
  if (pay.saved >= pay.machine_price) {
    return 'Yes: it has paid for itself.';
  }
  if (pay.pays_on) {
    return `It will have paid for itself on about ${dayText(pay.pays_on)}, if it goes on like this.`;
  }
  return pay.saved < 0 ? 'Not so far: its power costs more than what it has replaced.' : 'Not yet: some more days are needed to say when.';
}

function factsOf(pay) {
  const money = (amount) => moneyText(amount, pay.currency);
  return [['GPU-hours used', amountText(pay.used_gpu_hours, '', 1)], ['Elsewhere they cost', money(pay.cloud_cost)],
    ['Energy', amountText(pay.energy_kwh, 'kWh', 1)], ['Power cost', money(pay.energy_cost)], ['Saved', money(pay.saved)],
    ['Since', pay.since ? dayText(pay.since) : DASH]].map(([name, text]) => ({ name, text }));
}

function metersOf(pay) {
  if (!(pay.machine_price > 0) || pay.saved === undefined) {
    return [];
  }
  const money = (amount) => moneyText(amount, pay.currency);
  return [{ name: 'Paid back', share: Math.max(0, pay.saved) / pay.machine_price,
    text: `${money(Math.max(0, pay.saved))} of ${money(pay.machine_price)}` }];
}

function createFact(fact) {
  const node = make('div');
  const value = make('dd');
  node.append(make('dt', '', fact.name), value);
  return { node, value };
}

const sourceText = (gpu) => [gpu.price_source, gpu.price_date].filter(Boolean).join(', ') || DASH;

function makeTables(current) {
  const money = (amount) => moneyText(amount, current().currency);
  const number = (name, text) => ({ name, text, kind: 'number' });
  const gpus = makeTable('GPUs and what they would cost elsewhere', [
    { name: 'GPU', text: (one) => [one.index, one.name].filter((word) => word !== undefined).join(' '), kind: 'words' },
    number('Hours used', (one) => amountText(one.used_hours, '', 1)),
    number('Elsewhere, an hour', (one) => money(one.cloud_price_per_hour)),
    { name: 'Price from', text: sourceText, kind: 'words' },
  ]);
  const users = makeTable('Who has used it', [
    { name: 'Who', text: (one) => one.user || 'nobody known' },
    number('GPU-hours', (one) => amountText(one.gpu_hours, '', 1)),
    number('Energy', (one) => amountText(one.energy_kwh, 'kWh', 1)),
    number('Power cost', (one) => money(one.energy_cost)),
    number('Elsewhere', (one) => money(one.cloud_cost)),
  ]);
  return { gpus, users };
}

function makeForm(path, done) {
  const node = make('details', 'reach prices');
  const form = make('form', 'price-form');
  const save = make('button', 'button main', 'Save');
  const error = make('p', 'error small');
  const inputs = {};
  error.setAttribute('role', 'alert');
  for (const [name, title, type, placeholder] of FIELDS) {
    const label = make('label', 'field');
    const input = make('input', 'input');
    Object.assign(input, { name, type, placeholder, autocomplete: 'off' });
    if (type === 'number') {
      Object.assign(input, { min: '0', step: 'any' });
    }
    inputs[name] = input;
    label.append(make('span', '', title), input);
    form.append(label);
  }
  form.append(save);
  node.append(make('summary', '', 'Prices'), form, error);
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    const body = {};
    for (const [name, , type] of FIELDS) {
      const value = inputs[name].value.trim();
      if (value !== '') {
        body[name] = type === 'number' ? Number(value) : value;
      }
    }
    try {
      setText(error, '');
      await order('PUT', path, body);
      say('The prices are saved.');
      await done();
    } catch (problem) {
      setText(error, `They were not saved: ${problem.message}.`);
    }
  });
  // What is being typed stays.
  const fill = (pay) => {
    if (!node.open) {
      FIELDS.forEach(([name]) => { inputs[name].value = pay[name] ?? ''; });
    }
  };
  return { node, fill };
}

// Fills the block, and gives a function that asks anew. Members see no form.
export function preparePay(name, me) {
  const path = `/api/v1/machines/${encodeURIComponent(name)}/pay`;
  let pay = {};
  const verdict = make('p', 'verdict');
  const meters = make('div', 'meters');
  const facts = make('dl', 'facts');
  const tables = makeTables(() => pay);
  const form = me.role === 'admin' ? makeForm(path, load) : null;
  const hint = make('p', 'quiet-note', 'An admin can say here what the machine and its power cost.');
  at('pay').append(verdict, meters, facts, tables.gpus.node, tables.users.node, form?.node ?? hint);

  function show() {
    // Those that are gone have no index.
    const gpus = (pay.gpus ?? []).map((gpu, key) => ({ ...gpu, key }));
    const users = pay.users ?? [];
    setText(verdict, verdictText(pay));
    follow(meters, metersOf(pay), (meter) => meter.name, createMeter, updateMeter);
    follow(facts, factsOf(pay), (fact) => fact.name, createFact, (part, fact) => setText(part.value, fact.text));
    followTable(tables.gpus, gpus, (one) => one.key);
    followTable(tables.users, users, (one) => one.user);
    setHidden(tables.gpus.node, gpus.length === 0);
    setHidden(tables.users.node, users.length === 0);
    setHidden(hint, pay.machine_price !== undefined);
    form?.fill(pay);
  }

  async function load() {
    try {
      pay = await ask(path);
      setHidden(at('pay'), false);
      show();
    } catch (error) {
      if (error.status !== 404) {
        setHidden(at('pay'), false);
        setText(verdict, `This cannot be said now: ${error.message}.`);
      }
    }
  }
  load();
  return load;
}
