import { CLI_MESSAGES } from './cli.messages.js';

/** A response, whoever sent it. */
export interface HttpAnswer {
  readonly status: number;
  readonly text: string;
  readonly contentType: string;
  readonly location?: string;
}

/** What the endpoint itself says in the body of a response. */
export interface EndpointAnswer {
  readonly received: boolean;
  /** What happened to a replay that the endpoint was asked for: `done`, or why it was not possible. */
  readonly replay?: string;
}

/** The endpoint's answer, or undefined if something else answered: a guard, another route, a proxy. */
export function readEndpointAnswer({ text }: HttpAnswer): EndpointAnswer | undefined {
  const [, received] = /^\s*\{\s*"received"\s*:\s*(true|false)\b/.exec(text) ?? [];
  const [, replay] = /"replay"\s*:\s*"(\w+)"/.exec(text) ?? [];
  if (received === undefined) return undefined;
  return { received: received === 'true', ...(replay !== undefined && { replay }) };
}

/** Why a response means that the endpoint did not handle the event, and what to do. Undefined if it is the event itself. */
export function adviceFor(answer: HttpAnswer, url: URL): string | undefined {
  const { status, text, contentType, location } = answer;
  if (readEndpointAnswer(answer)) return status === 401 ? CLI_MESSAGES.signatureRefused : undefined;
  if (status >= 300 && status <= 399) return CLI_MESSAGES.redirected(location);
  if (status === 404 || status === 405) return CLI_MESSAGES.noRoute(url.pathname);
  if (status === 401 || status === 403) return CLI_MESSAGES.guarded;
  if (status === 429) return CLI_MESSAGES.throttled;
  if (/html/i.test(contentType) || /^\s*</.test(text)) return CLI_MESSAGES.htmlPage(url.origin);
  return CLI_MESSAGES.notTheEndpoint(url.pathname);
}
