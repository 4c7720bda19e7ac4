// Inviting a machine or a person: a name in, a line to paste out, and the word when a machine has come.
import { order } from './api.js';
import { makeLine } from './copy.js';
import { at, setHidden, setText } from './dom.js';
import { momentText, verbLine } from './text.js';

const NAME = /^(?!.*--)[a-z][a-z0-9-]{1,29}[a-z0-9]$/;

// The form for that kind, 'machine' or 'user': what the other one has is taken out.
function makeForm(kind) {
  const form = at('invite-form').content.cloneNode(true).firstElementChild;
  for (const node of form.querySelectorAll(`[data-for]:not([data-for="${kind}"])`)) {
    node.remove();
  }
  return form;
}

// Puts the form into `parent`. `who` gives the user who asks. Gives a function to call with the machines whenever they
// change.
export function makeInvite(parent, kind, who) {
  const form = makeForm(kind);
  const part = (name) => form.querySelector(`[data-part="${name}"]`);
  const input = form.elements.namedItem('name');
  const admin = form.elements.namedItem('admin');
  const codes = {};
  let machines = new Map();
  let invited = '';
  let wasOnline = false;

  for (const [name, what] of [['line', `the line that invites the ${kind === 'user' ? 'person' : 'machine'}`],
    ['ssh', 'the line for ssh alone'], ['grant', 'the line that gives a machine']]) {
    const { line, code } = makeLine(what);
    part(name)?.append(line);
    codes[name] = code;
  }
  part('help').id = `${parent.id}-help`;
  part('error').id = `${parent.id}-error`;
  input.setAttribute('aria-describedby', `${parent.id}-help ${parent.id}-error`);
  parent.replaceChildren(form);

  function complain(text) {
    setText(part('error'), text);
    setHidden(part('error'), text === '');
    input.setAttribute('aria-invalid', String(text !== ''));
  }

  function look(now) {
    machines = now ?? machines;
    if (kind !== 'machine') {
      return;
    }
    const online = machines.get(invited)?.online ?? false;
    // One that was there before shows only by coming anew.
    wasOnline &&= online;
    const here = online && !wasOnline;
    setText(part('wait'), here ? `${invited} is here.` : `Waiting for ${invited} …`);
    part('wait').classList.toggle('here', here);
  }

  function showPerson(name, answer) {
    const all = [...machines.values()];
    const box = (all.find((machine) => machine.online) ?? all[0])?.name ?? 'box1';
    setText(codes.line, `sallyport join '${answer.url}'`);
    setText(codes.ssh, answer.line);
    setText(part('fingerprint'), answer.url.slice(answer.url.indexOf('#') + 1));
    setText(codes.grant, verbLine(who(), `grant ${name} ${box}`));
    setHidden(part('then'), answer.role === 'admin');
  }

  function show(name, answer) {
    invited = name;
    wasOnline = machines.get(name)?.online ?? false;
    setText(codes.line, answer.line);
    if (kind === 'user') {
      showPerson(name, answer);
    }
    form.querySelectorAll('[data-part="name"]').forEach((node) => setText(node, name));
    setText(part('until'), momentText(new Date(answer.expires)));
    setHidden(part('again'), !answer.replaces);
    look();
    setHidden(part('result'), false);
    part('result').focus();
  }

  async function submit() {
    const name = input.value.trim();
    setHidden(part('result'), true);
    if (!NAME.test(name)) {
      complain('A name has 3 to 31 lower-case letters, digits and single hyphens, and begins with a letter.');
      input.focus();
      return;
    }
    complain('');
    part('make').disabled = true;
    try {
      show(name, await order('POST', '/api/v1/invites', { kind, name, ...(admin?.checked && { admin: true }) }));
    } catch (error) {
      complain(`No line was made: ${error.message}.`);
    }
    part('make').disabled = false;
  }

  form.addEventListener('submit', (event) => {
    event.preventDefault();
    submit();
  });
  return look;
}
