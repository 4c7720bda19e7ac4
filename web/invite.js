// Adding a machine: a name in, a line to paste out, and the word when the machine has come.
import { order } from './api.js';
import { makeLine } from './copy.js';
import { at, setHidden, setText } from './dom.js';
import { momentText } from './text.js';

const NAME = /^(?!.*--)[a-z][a-z0-9-]{1,29}[a-z0-9]$/;

// Puts the form into `parent`. Gives a function to call with the machines whenever they change.
export function makeInvite(parent) {
  const form = at('invite-form').content.cloneNode(true).firstElementChild;
  const part = (name) => form.querySelector(`[data-part="${name}"]`);
  const input = form.elements.namedItem('name');
  const { line, code } = makeLine('the line that invites the machine');
  let machines = new Map();
  let invited = '';
  let wasOnline = false;

  part('help').id = `${parent.id}-help`;
  part('error').id = `${parent.id}-error`;
  input.setAttribute('aria-describedby', `${parent.id}-help ${parent.id}-error`);
  part('line').append(line);
  parent.replaceChildren(form);

  function complain(text) {
    setText(part('error'), text);
    setHidden(part('error'), text === '');
    input.setAttribute('aria-invalid', String(text !== ''));
  }

  function look(now) {
    machines = now;
    const online = machines.get(invited)?.online ?? false;
    // One that was there before shows only by coming anew.
    wasOnline &&= online;
    const here = online && !wasOnline;
    setText(part('wait'), here ? `${invited} is here.` : `Waiting for ${invited} …`);
    part('wait').classList.toggle('here', here);
  }

  function show(name, answer) {
    invited = name;
    wasOnline = machines.get(name)?.online ?? false;
    setText(code, answer.line);
    setText(part('name'), name);
    setText(part('until'), momentText(new Date(answer.expires)));
    setHidden(part('again'), !answer.replaces);
    look(machines);
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
      show(name, await order('POST', '/api/v1/invites', { kind: 'machine', name }));
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
