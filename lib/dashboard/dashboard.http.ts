import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { fromStorableText, sanitizeText, toStorableText } from '../errors/safe-text.js';

/** The parts of a request that the dashboard uses, on both platforms. */
export interface DashboardRequest {
  readonly headers: IncomingHttpHeaders;
  /** The path and the query. Express changes it in applications that are mounted, but never the last segment or the query. */
  readonly url: string;
  readonly protocol?: string;
}

/** The parameters of a page, as the addresses of the dashboard carry them. */
export type Params = Readonly<Record<string, string | undefined>>;

/** The path of a request without its query, and its parameters. The platform's query parser depends on the application. */
export function addressOf({ url }: DashboardRequest): { path: string; query: URLSearchParams } {
  const [path = '', ...query] = url.split('?');
  return { path, query: new URLSearchParams(query.join('?')) };
}

/** A parameter as {@link addressTo} wrote it. Undefined if it is not there or empty. */
export function paramOf(query: URLSearchParams, name: string): string | undefined {
  const value = query.get(name);
  return value ? fromStorableText(value) : undefined;
}

/** The address of a page, relative to its siblings, so that it does not matter what prefix a proxy adds or removes. */
export function addressTo(page: string, params: Params = {}): string {
  const query = queryOf(params).toString();
  return query === '' ? page : `${page}?${query}`;
}

// Ids can contain lone surrogates, but URLs cannot.
function queryOf(params: Params): URLSearchParams {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) if (value) query.set(name, toStorableText(value));
  return query;
}

const COOKIE = 'scalekit-webhooks-dashboard';
const COOKIE_VALUE = new RegExp(`(?:^|;\\s*)${COOKIE}=([\\w-]{43})(?:;|$)`);
const TOKEN = 'token';

/**
 * Proves that an action was started on a page of this dashboard, in this browser. The key is a random cookie that no script
 * and no other site gets, so processes need not share a secret. A token is valid for one action on one target.
 */
export class ActionKey {
  private constructor(
    readonly key: string,
    /** The header that gives the browser a new key. Undefined if it has one. */
    readonly setCookie?: string,
  ) {}

  static of({ headers, protocol }: DashboardRequest): ActionKey {
    const [, known] = COOKIE_VALUE.exec(headers.cookie ?? '') ?? [];
    if (known) return new ActionKey(known);
    const key = randomBytes(32).toString('base64url');
    // Without a path, the browser sends it to the dashboard only.
    const secure = protocol === 'https' ? '; Secure' : '';
    return new ActionKey(key, `${COOKIE}=${key}; HttpOnly; SameSite=Strict${secure}`);
  }

  /** The address of an action, with a token. It needs no body, which only some applications could parse. */
  addressTo(page: string, params: Params): string {
    const query = queryOf(params);
    const salt = randomBytes(16).toString('base64url');
    query.set(TOKEN, `${salt}.${this.#sign(salt, query)}`);
    return `${page}?${query}`;
  }

  /** Whether a request for an action comes from an address that this key signed. */
  allows(request: DashboardRequest): boolean {
    if (this.setCookie !== undefined || !isSameOrigin(request)) return false;
    const { query } = addressOf(request);
    const [salt = '', signature = ''] = (query.get(TOKEN) ?? '').split('.');
    query.delete(TOKEN);
    const expected = Buffer.from(this.#sign(salt, query));
    const found = Buffer.from(signature);
    return found.length === expected.length && timingSafeEqual(found, expected);
  }

  /** The salt is new each time, so that the size of a compressed page reveals nothing about a token. */
  #sign(salt: string, query: URLSearchParams): string {
    return createHmac('sha256', this.key).update(`${salt}?${query}`).digest('base64url');
  }
}

/** Browsers say where a POST comes from in at least one of two headers. The first is only sent over HTTPS and to localhost. */
function isSameOrigin({ headers }: DashboardRequest): boolean {
  const site = headers['sec-fetch-site'];
  if (site !== undefined) return site === 'same-origin';
  const { origin, host = headers[':authority'] } = headers;
  return origin !== undefined && URL.canParse(origin) && new URL(origin).host === host;
}

/** The headers of every answer. `nonce` is that of the page's style sheet and script. */
export function headersFor(contentType: string, nonce?: string): Record<string, string> {
  const own = nonce === undefined ? `'none'` : `'nonce-${nonce}'`;
  const policy = [
    `default-src 'none'`,
    `script-src ${own}`,
    `style-src ${own}`,
    `connect-src 'self'`,
    `form-action 'self'`,
    `base-uri 'none'`,
    `frame-ancestors 'none'`,
    `require-trusted-types-for 'script'`,
    `trusted-types 'none'`,
  ];
  return {
    'Content-Type': `${contentType}; charset=utf-8`,
    'Content-Security-Policy': policy.join('; '),
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
    'X-Frame-Options': 'DENY',
    // With no-referrer, browsers would not send the origin of a POST.
    'Referrer-Policy': 'same-origin',
    'Cross-Origin-Opener-Policy': 'same-origin',
    'Cross-Origin-Resource-Policy': 'same-origin',
    'X-Robots-Tag': 'noindex',
  };
}

/** HTML that is safe to send. Only {@link html} makes it. */
export class Html {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  static textOf(value: Html): string {
    return value.#text;
  }
}

/** What a template takes. */
export type Part = Html | string | number | undefined | false | readonly Part[];

/** A template whose values cannot become markup: every text is escaped, in content and in quoted attributes. */
export function html(strings: TemplateStringsArray, ...values: readonly Part[]): Html {
  return new Html(String.raw({ raw: strings }, ...values.map(escapePart)));
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
  '`': '&#96;',
};

function escapePart(part: Part): string {
  if (part instanceof Html) return Html.textOf(part);
  if (Array.isArray(part)) return part.map(escapePart).join('');
  if (part === undefined || part === false) return '';
  // Control and format characters become visible, because they could reverse the direction of a text.
  return sanitizeText(String(part)).replaceAll(/[&<>"'`]/g, (found) => ENTITIES[found] ?? '');
}

/** A table that can be scrolled with the keyboard where it does not fit. */
export function table(caption: string, head: Html, rows: readonly Html[], ifEmpty: string): Html {
  if (rows.length === 0) return html`<p>${ifEmpty}</p>`;
  return html`<div class="scroll" role="region" aria-label="${caption}" tabindex="0"><table>
<caption>${caption}</caption>
<thead><tr>${head}</tr></thead>
<tbody>${rows}</tbody>
</table></div>`;
}

export function suggestions(id: string, values: readonly string[]): Html {
  return html`<datalist id="${id}">${values.map((value) => html`<option value="${value}"></option>`)}</datalist>`;
}

export function select(
  label: string,
  name: string,
  values: readonly string[],
  chosen: string | undefined,
): Html {
  const options = values.map(
    (value) =>
      html`<option value="${value}"${value === chosen && html` selected`}>${value || 'any'}</option>`,
  );
  return html`<label>${label}<select name="${name}">${options}</select></label>`;
}

export function time(date: Date): Html {
  const iso = date.toISOString();
  return html`<time datetime="${iso}">${iso.slice(0, 19).replace('T', ' ')}</time>`;
}

/** Reads the page again every 10 seconds, and replaces the part that changes. Everything works without it. */
export const SCRIPT = `'use strict';
const region = document.querySelector('[data-refresh]');
const status = document.querySelector('[data-status]');
if (region && status) {
  const box = document.createElement('input');
  box.type = 'checkbox';
  box.checked = sessionStorage.getItem('scalekit-refresh') !== 'off';
  box.addEventListener('change', () => sessionStorage.setItem('scalekit-refresh', box.checked ? 'on' : 'off'));
  const label = document.createElement('label');
  const text = document.createElement('span');
  label.append(box, ' Refresh every 10 seconds');
  status.append(label, ' ', text);
  // Do not change what somebody is reading or about to press.
  const isInUse = () => region.contains(document.activeElement) || !getSelection().isCollapsed;
  const refresh = () => {
    const request = new XMLHttpRequest();
    request.responseType = 'document';
    request.timeout = 9000;
    request.addEventListener('loadend', () => {
      const found = request.status === 200 && request.response?.querySelector('[data-refresh]');
      if (found && !isInUse()) region.replaceChildren(...found.childNodes);
      text.textContent = found ? '' : 'The last refresh failed.';
    });
    request.open('GET', location.href);
    request.send();
  };
  setInterval(() => {
    if (box.checked && !document.hidden && !isInUse()) refresh();
  }, 10000);
}
`;

export const STYLES = `:root {
  color-scheme: light dark;
  --back: #fff; --raised: #f4f5f7; --text: #1b1f24; --faint: #57606a; --line: #c4cad1; --link: #0550ae;
  --done: #116329; --failed: #8a4600; --dead: #a40e26;
}
@media (prefers-color-scheme: dark) {
  :root {
    --back: #0f1318; --raised: #1b2129; --text: #e8ecf1; --faint: #a3adb8; --line: #444d58; --link: #7cb7ff;
    --done: #6fdd8b; --failed: #ffb757; --dead: #ff9a93;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--back); color: var(--text); font: 1rem/1.5 system-ui, sans-serif; }
header, main, footer { max-width: 80rem; margin: 0 auto; padding: 0.75rem 1rem; }
header { display: flex; flex-wrap: wrap; gap: 0.25rem 1.5rem; align-items: baseline; border-bottom: 1px solid var(--line); }
header p { margin: 0; font-weight: 600; }
nav ul { display: flex; gap: 1rem; margin: 0; padding: 0; list-style: none; }
h1 { font-size: 1.5rem; margin: 0.5rem 0; overflow-wrap: anywhere; }
h2 { font-size: 1.2rem; margin: 1.5rem 0 0.5rem; overflow-wrap: anywhere; }
a { color: var(--link); }
a[aria-current] { color: inherit; font-weight: 600; text-decoration: none; }
a:focus-visible, button:focus-visible, input:focus-visible, select:focus-visible, summary:focus-visible, [tabindex]:focus-visible {
  outline: 3px solid var(--link); outline-offset: 2px;
}
.skip { position: absolute; left: -100rem; }
.skip:focus { left: 1rem; top: 0.5rem; padding: 0.25rem 0.5rem; background: var(--back); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
caption { text-align: left; color: var(--faint); padding: 0.25rem 0; }
th, td { text-align: left; vertical-align: top; padding: 0.4rem 0.75rem 0.4rem 0; border-bottom: 1px solid var(--line); }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
td, th { overflow-wrap: anywhere; }
td time, .number, thead th { white-space: nowrap; }
.actions { margin: 1rem 0; }
td form, dd form, .actions form { display: inline-block; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 0.25rem 1rem; margin: 0.5rem 0; }
dt { color: var(--faint); }
dd { margin: 0; overflow-wrap: anywhere; }
form.filter { display: flex; flex-wrap: wrap; gap: 0.5rem 1rem; align-items: end; margin-bottom: 1rem; }
label { color: var(--faint); }
.filter label { display: grid; }
input, select, button { font: inherit; color: var(--text); background: var(--raised); border: 1px solid var(--faint);
  border-radius: 0.3rem; padding: 0.25rem 0.6rem; min-height: 2rem; }
input[type='checkbox'] { min-height: 0; }
button { cursor: pointer; }
pre { background: var(--raised); border: 1px solid var(--line); padding: 0.75rem; overflow: auto; max-height: 70vh; }
.error { white-space: pre-wrap; }
figure { margin: 1rem 0; max-width: 40rem; }
figcaption { color: var(--faint); }
svg { width: 100%; border-bottom: 1px solid var(--line); }
rect.received { fill: var(--line); }
rect.failed { fill: var(--failed); }
rect.dead { fill: var(--dead); }
.notice { border: 1px solid var(--line); border-left: 0.3rem solid var(--link); background: var(--raised); padding: 0.5rem 0.75rem; }
.done { color: var(--done); }
.failed { color: var(--failed); }
.dead { color: var(--dead); font-weight: 600; }
.faint, footer { color: var(--faint); }
@media (max-width: 40rem) {
  dl { grid-template-columns: 1fr; gap: 0; }
  dt { margin-top: 0.5rem; }
}
`;
