// Asking and ordering at the relay.

const PATIENCE_MS = 10000;

let csrf = '';

// What to tell a person: the relay's own words where it gave some.
async function failure(response) {
  const said = await response.json().catch(() => null);
  const error = new Error(said?.error ?? `the relay answered with error ${response.status}`);
  error.status = response.status;
  return error;
}

async function call(path, options) {
  let response;
  try {
    response = await fetch(path, { cache: 'no-store', signal: AbortSignal.timeout(PATIENCE_MS), ...options });
  } catch {
    throw new Error('the relay does not answer');
  }
  if (response.status === 401) {
    leave();
  }
  if (!response.ok) {
    throw await failure(response);
  }
  return response;
}

// The session is over: the login page stands at the same address.
export function leave() {
  location.replace('/');
}

export async function ask(path) {
  return (await call(path)).json();
}

// Who this is, and `ahead`: by how much the relay's clock is ahead of this computer's.
export async function askMe() {
  const response = await call('/api/v1/me');
  const me = await response.json();
  const date = Date.parse(response.headers.get('Date'));
  me.ahead = date ? date - Date.now() : 0;
  csrf = me.csrf_token ?? '';
  return me;
}

// Gives the answer, or undefined when it is empty.
export async function order(method, path, body) {
  const attempt = () => call(path, {
    method,
    headers: { 'X-Sallyport-Token': csrf, ...(body && { 'Content-Type': 'application/json' }) },
    body: body && JSON.stringify(body),
  });
  let response;
  try {
    response = await attempt();
  } catch (error) {
    // Another tab may have logged in anew since.
    const known = csrf;
    if (error.status === 403) {
      await askMe();
    }
    if (csrf === known) {
      throw error;
    }
    response = await attempt();
  }
  return response.status === 204 ? undefined : response.json();
}
