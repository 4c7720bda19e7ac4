// Bars that show how much of something is used.
import { make, setText } from './dom.js';
import { DASH, aboutText, bytesText, shareText } from './text.js';

const HIGH = 0.9;
const SOON_S = 7 * 86400;

export function createMeter() {
  const node = make('div', 'meter');
  const head = make('div', 'meter-head');
  const name = make('span', 'meter-name');
  const value = make('span', 'meter-value');
  const bar = make('div', 'meter-bar');
  const fill = make('div', 'meter-fill');
  bar.setAttribute('role', 'meter');
  bar.setAttribute('aria-valuemin', '0');
  bar.setAttribute('aria-valuemax', '100');
  head.append(name, value);
  bar.append(fill);
  node.append(head, bar);
  return { node, name, value, bar, fill };
}

// `meter` is { name, share, text, high }; a share that is undefined is not known.
export function updateMeter(part, meter) {
  const percent = Math.round(Math.min(1, meter.share ?? 0) * 100);
  const said = `${meter.name} ${meter.text} ${percent}`;
  if (part.said === said) {
    return;
  }
  part.said = said;
  setText(part.name, meter.name);
  setText(part.value, meter.text);
  part.value.classList.toggle('high', Boolean(meter.high));
  part.fill.classList.toggle('high', Boolean(meter.high));
  part.fill.style.width = `${percent}%`;
  part.bar.setAttribute('aria-label', meter.name);
  part.bar.setAttribute('aria-valuenow', String(percent));
  part.bar.setAttribute('aria-valuetext', meter.share === undefined ? 'not known' : meter.text);
}

const known = (total, used) => total > 0 && used !== undefined;
const ofText = (used, total) => `${bytesText(used)} of ${bytesText(total)}`;

export function shareMeter(name, share) {
  return { name, share, text: shareText(share) };
}

// Much of it in use is nothing to worry about.
export function sizeMeter(name, used, total) {
  return known(total, used) ? { name, share: used / total, text: ofText(used, total) } : { name, text: DASH };
}

function fullText(disk) {
  const share = disk.used_bytes / disk.total_bytes;
  if (Math.round(share * 100) >= 100) {
    return 'full';
  }
  if (disk.full_in_s !== undefined && disk.full_in_s < SOON_S) {
    return `full in ${aboutText(disk.full_in_s)}`;
  }
  return share >= HIGH ? 'nearly full' : '';
}

export function memoryOf(status) {
  if (!known(status.memory_total_bytes, status.memory_used_bytes)) {
    return [];
  }
  const meter = sizeMeter('Memory', status.memory_used_bytes, status.memory_total_bytes);
  const high = meter.share >= HIGH;
  return [{ ...meter, high, text: high ? `${meter.text}, nearly full` : meter.text }];
}

export function disksOf(status) {
  return (status.filesystems ?? []).filter((disk) => known(disk.total_bytes, disk.used_bytes)).map((disk) => {
    const why = fullText(disk);
    const text = [ofText(disk.used_bytes, disk.total_bytes), why].filter(Boolean).join(', ');
    return { name: `Disk ${disk.mount}`, share: disk.used_bytes / disk.total_bytes, text, why, high: why !== '' };
  });
}
