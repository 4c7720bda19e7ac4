// Where messages go: the user's channels, and for admins everybody's.
import { ask, order } from './api.js';
import { say } from './copy.js';
import { at, follow, make, makeHidden, setHidden, setText } from './dom.js';
import { momentText } from './text.js';

const PATH = '/api/v1/alerts/channels';
const KINDS = { ntfy: 'ntfy', webhook: 'Webhook', mail: 'Mail' };
const ADDRESSES = { ntfy: ['Address of the topic', 'https://ntfy.sh/my-machines'],
  webhook: ['Address that is called', 'https://hooks.example/machines'], mail: ['Mail address', 'ann@example.org'] };
const LOOK_MS = 1000;
const LOOKS = 30;

const pause = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

function detailText(channel) {
  const waiting = channel.waiting ? `${channel.waiting} waiting` : '';
  const sent = channel.sent ? `last used ${momentText(new Date(channel.sent))}` : 'not used yet';
  return [channel.user, sent, channel.private ? 'private address' : '', waiting].filter(Boolean).join(' · ');
}

function testText(channel) {
  if (channel.trouble) {
    return `Messages do not get there: ${channel.trouble}`;
  }
  return channel.test_ok ? 'The test message got there.' : '';
}

function makeButton(text, rest, press) {
  const button = make('button', 'button quiet', text);
  button.type = 'button';
  button.append(makeHidden(rest));
  button.addEventListener('click', press);
  return button;
}

function createChannel(channel, actions) {
  const node = make('li', 'channel');
  const words = make('div', 'channel-words');
  const address = make('bdi', '', channel.address);
  const detail = make('p', 'channel-detail');
  const result = make('p', 'small');
  const title = make('p');
  const rest = ` ${KINDS[channel.kind] ?? channel.kind} ${channel.address}`;
  const test = makeButton('Test', rest, () => actions.test(channel, test));
  title.append(make('strong', '', KINDS[channel.kind] ?? channel.kind), ' ', address);
  words.append(title, detail, result);
  node.append(words, test, makeButton('Remove', rest, () => actions.remove(channel)));
  return { node, detail, result };
}

function updateChannel(part, channel) {
  setText(part.detail, detailText(channel));
  setText(part.result, testText(channel));
  part.result.classList.toggle('error', Boolean(channel.trouble));
}

export function prepareChannels(me) {
  const form = at('channel-form');
  const { kind, address } = form.elements;
  if (me.role !== 'admin') {
    kind.querySelector('[value="mail"]').remove(); // the relay takes it from admins only
  }
  const actions = { test, remove };

  async function attempt(what) {
    setText(at('channel-error'), '');
    try {
      await what();
    } catch (error) {
      setText(at('channel-error'), `That did not work: ${error.message}.`);
    }
  }

  async function load() {
    const channels = await ask(PATH);
    follow(at('channels'), channels, (one) => one.id, (one) => createChannel(one, actions), updateChannel);
    setHidden(at('channels-none'), channels.length > 0);
    return channels;
  }

  // The relay sends it when it can, and says in the channel how that went.
  function test(channel, button) {
    attempt(async () => {
      button.disabled = true;
      try {
        await order('POST', `${PATH}/${channel.id}/test`);
        for (let i = 0; i < LOOKS; i += 1) {
          const found = (await load()).find((one) => one.id === channel.id);
          if (!found || (found.tested && found.tested !== channel.tested && found.test_ok !== undefined)) {
            channel.tested = found?.tested;
            say(found ? testText(found) : 'The channel is gone.');
            return;
          }
          await pause(LOOK_MS);
        }
        throw new Error('nothing was heard of it yet');
      } finally {
        button.disabled = false;
      }
    });
  }

  function remove(channel) {
    attempt(async () => {
      await order('DELETE', `${PATH}/${channel.id}`);
      await load();
      at('channels-title').focus();
      say('The channel is removed.');
    });
  }

  function explain() {
    const [title, example] = ADDRESSES[kind.value];
    setText(at('channel-address'), title);
    address.placeholder = example;
    address.type = kind.value === 'mail' ? 'email' : 'url';
    setHidden(at('channel-private'), me.role !== 'admin' || kind.value === 'mail');
  }

  kind.addEventListener('change', explain);
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    attempt(async () => {
      const asked = form.elements.private.checked && !at('channel-private').hidden;
      await order('POST', PATH, { kind: kind.value, address: address.value.trim(), ...(asked && { private: true }) });
      address.value = '';
      form.elements.private.checked = false;
      await load();
      say('The channel is added.');
    });
  });
  explain();
  attempt(load);
}
