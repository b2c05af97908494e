import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';

/** Basic authentication for the user `admin`. */
export function requirePassword(password: string) {
  const expected = digest(`Basic ${Buffer.from(`admin:${password}`).toString('base64')}`);
  return ({ headers }: IncomingMessage, response: ServerResponse, next: () => void): void => {
    if (timingSafeEqual(digest(headers.authorization ?? ''), expected)) next();
    else response.writeHead(401, { 'www-authenticate': 'Basic realm="queues"' }).end();
  };
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
