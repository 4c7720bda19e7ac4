// Tells those who do not see the page what happens to the machines: only that one comes or goes, and not one by one
// when there are many.

const SETTLE_MS = 1500;
const SINGLY = 4;

export function makeNews(tell) {
  let known = null;
  let latest = null;
  let timer = 0;

  const many = (names, one, all) => (names.length > SINGLY ? `${names.length} machines ${all}`
    : names.map((name) => `${name} ${one}`).join(', '));

  function compare() {
    timer = 0;
    const up = [];
    const down = [];
    const gone = [...known.keys()].filter((name) => !latest.has(name));
    for (const [name, online] of latest) {
      if (online && !known.get(name)) {
        up.push(name);
      } else if (!online && known.get(name)) {
        down.push(name);
      }
    }
    known = latest;
    const parts = [[up, 'is online', 'are online'], [down, 'is offline', 'are offline'],
      [gone, 'was removed', 'were removed']].filter(([names]) => names.length).map((part) => many(...part));
    if (parts.length) {
      tell(`${parts.join(', ')}.`);
    }
  }

  return (machines) => {
    latest = new Map([...machines.values()].map((machine) => [machine.name, machine.online]));
    known ??= latest;
    timer ||= setTimeout(compare, SETTLE_MS);
  };
}
