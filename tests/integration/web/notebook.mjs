// The pages of Jupyter Notebook 6 as a person uses them: by mouse and keyboard, in a page of playwright.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const PATIENCE = 60_000;
const require = createRequire(import.meta.url);

// Debian's Notebook 6 leaves xterm.js out of its terminal page, which stays empty for that, with or without a relay.
// The page gets it from npm here, when its loader asks for it.
export async function mendTerminals(context) {
  const read = (name) => readFileSync(require.resolve(name), 'utf8');
  const load = (name) => `(function (define, module, exports) {${read(name)}\n}).call(window);`;
  await context.addInitScript(`
    ${load('xterm/dist/xterm.js')}
    ${load('xterm/dist/addons/fit/fit.js')}
    (() => {
      const given = { xterm: window.Terminal, 'xtermjs-fit': window.fit };
      let define;
      Object.defineProperty(window, 'define', {
        get: () => define,
        set(real) {
          define = (name, ...rest) => {
            if (name === 'xterm') window.exports = {};
            return given[name] ? real(name, [], () => given[name]) : real(name, ...rest);
          };
        },
      });
    })();
  `);
}

// The list of files. `page` shows it.
export class Tree {
  constructor(page) {
    this.page = page;
    page.setDefaultTimeout(PATIENCE);
  }

  async ready() {
    await this.page.locator('#notebook_list .list_item').first().waitFor();
    return this;
  }

  async #fromMenu(entry) {
    await this.page.locator('#new-dropdown-button').click();
    const [opened] = await Promise.all([this.page.context().waitForEvent('page'), this.page.locator(entry).click()]);
    return opened;
  }

  async newNotebook() {
    return new Notebook(await this.#fromMenu('#kernel-python3 a')).ready();
  }

  async newTerminal() {
    return new Terminal(await this.#fromMenu('#new-terminal a')).ready();
  }

  row(name) {
    return this.page.locator('#notebook_list .list_item').filter({ has: this.page.getByText(name, { exact: true }) });
  }

  async upload(file, name) {
    await this.page.locator('#alternate_upload input[type=file]').setInputFiles(file);
    await this.page.locator('.new-file .upload_button').click();
    await this.row(name).waitFor();
  }

  // The bytes of a file, as the browser saves them.
  async download(name) {
    await this.row(name).locator('input[type=checkbox]').check();
    const [download] = await Promise.all([
      new Promise((resolve) => { this.page.context().on('page', (page) => page.once('download', resolve));
        this.page.once('download', resolve); }),
      this.page.locator('.download-button').click(),
    ]);
    return readFileSync(await download.path());
  }
}

// A notebook that is open.
export class Notebook {
  constructor(page) {
    this.page = page;
    page.setDefaultTimeout(PATIENCE);
  }

  async ready() {
    await this.connected();
    await this.page.locator('#kernel_indicator_icon.kernel_idle_icon').waitFor();
    return this;
  }

  async connected() {
    await this.page.waitForFunction(() => window.Jupyter?.notebook?.kernel?.is_connected());
  }

  isConnected() {
    return this.page.evaluate(() => window.Jupyter.notebook.kernel.is_connected());
  }

  // Types into the last cell and runs it; the cell, to look at its output.
  async start(code) {
    const cells = this.page.locator('#notebook-container .code_cell');
    const number = await cells.count() - 1;
    const cell = cells.nth(number);
    await cell.locator('.CodeMirror').click();
    await this.page.keyboard.type(code);
    await this.page.keyboard.press('Shift+Enter');
    await cells.nth(number + 1).waitFor();
    return cell;
  }

  // What the cell printed, once there is all of it.
  async output(cell) {
    await this.page.waitForFunction((node) => /\d/.test(node.querySelector('.input_prompt').textContent),
      await cell.elementHandle(), { timeout: PATIENCE });
    return (await cell.locator('.output_area').allInnerTexts()).join('\n');
  }

  async run(code) {
    return this.output(await this.start(code));
  }

  async busy() {
    await this.page.locator('#kernel_indicator_icon.kernel_busy_icon').waitFor();
  }

  async interrupt() {
    await this.page.locator('button[data-jupyter-action="jupyter-notebook:interrupt-kernel"]').click();
  }

  async save() {
    await this.page.locator('button[data-jupyter-action="jupyter-notebook:save-notebook"]').click();
    await this.page.waitForFunction(() => !window.Jupyter.notebook.dirty);
  }

  async close() {
    // A notebook with changes asks before it lets itself be closed.
    this.page.on('dialog', (dialog) => dialog.accept());
    await this.page.close();
  }
}

// A terminal that is open.
export class Terminal {
  constructor(page) {
    this.page = page;
    page.setDefaultTimeout(PATIENCE);
  }

  async ready() {
    await this.page.locator('.terminal').waitFor();
    await this.shows(/[#$] *$/m);
    return this;
  }

  async type(line) {
    await this.page.locator('.terminal').click();
    await this.page.keyboard.type(line);
    await this.page.keyboard.press('Enter');
  }

  // It paints on a canvas; what it has painted can be asked for.
  text() {
    return this.page.evaluate(() => {
      const { buffer } = window.terminal.term;
      return Array.from({ length: buffer.length }, (_, y) => buffer.getLine(y).translateToString(true)).join('\n');
    });
  }

  async shows(pattern) {
    const deadline = Date.now() + PATIENCE;
    while (!pattern.test(await this.text())) {
      assert.ok(Date.now() < deadline, `no ${pattern} in the terminal: ${await this.text()}`);
      await this.page.waitForTimeout(100);
    }
  }
}
