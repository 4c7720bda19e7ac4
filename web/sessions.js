// The browsers in which the user is logged in, and how to end that.
import { ask, leave, order } from './api.js';
import { say } from './copy.js';
import { makeDialog } from './dialog.js';
import { at, follow, make, makeHidden, setHidden, setText } from './dom.js';
import { agentText, roughText } from './text.js';

const SESSIONS = '/api/v1/sessions';

function createSession(session, end) {
  const node = make('li', 'session');
  const words = make('div', 'session-words');
  const name = make('p', 'session-name', agentText(session.agent ?? ''));
  const detail = make('p', 'session-detail');
  const button = make('button', 'button quiet', session.current ? 'Log out' : 'End');
  button.type = 'button';
  if (session.current) {
    name.append(' ', make('span', 'tag', 'this browser'));
  } else {
    button.append(makeHidden(` the session of ${agentText(session.agent ?? '')}, ${session.address}`));
  }
  button.addEventListener('click', () => end(session, button));
  words.append(name, detail);
  node.append(words, button);
  return { node, detail };
}

function updateSession(part, session, now) {
  const since = (time) => `${roughText(now - Date.parse(time))} ago`;
  setText(part.detail, [session.address, session.current ? '' : `used ${since(session.last_used)}`,
    `logged in ${since(session.created)}`, `ends in ${roughText(Date.parse(session.expires) - now)}`]
    .filter(Boolean).join(' · '));
}

async function logOut(path) {
  await order('POST', path);
  leave();
}

// `now` gives the relay's time.
export function prepareSessions(now) {
  const dialog = makeDialog('sessions', 'Where you are logged in');
  const error = make('p', 'error');
  const list = make('ul', 'sessions');
  const foot = make('p', 'dialog-foot');
  const everywhere = make('button', 'button', 'Log out everywhere');
  everywhere.type = 'button';
  error.setAttribute('role', 'alert');
  setHidden(error, true);
  foot.append(everywhere);
  dialog.body.append(error, list, foot);

  function complain(problem) {
    setText(error, problem ? `That did not work: ${problem.message}.` : '');
    setHidden(error, !problem);
  }

  async function attempt(what) {
    try {
      complain(null);
      await what();
    } catch (problem) {
      complain(problem);
    }
  }

  async function load() {
    const sessions = await ask(SESSIONS);
    follow(list, sessions, (session) => session.id, (session) => createSession(session, end),
      (part, session) => updateSession(part, session, now()));
  }

  function end(session, button) {
    attempt(async () => {
      if (session.current) {
        await logOut('/api/v1/logout');
        return;
      }
      button.disabled = true;
      try {
        await order('DELETE', `${SESSIONS}/${encodeURIComponent(session.id)}`);
      } finally {
        button.disabled = false;
        await load();
      }
      dialog.title.focus();
      say('The session has ended.');
    });
  }

  at('sessions-open').addEventListener('click', () => {
    dialog.node.showModal();
    attempt(load);
  });
  at('logout').addEventListener('click', async () => {
    try {
      await logOut('/api/v1/logout');
    } catch (problem) {
      dialog.node.showModal();
      complain(problem);
    }
  });
  everywhere.addEventListener('click', () => attempt(() => logOut('/api/v1/logout-everywhere')));
}
