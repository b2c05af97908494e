import { connect } from 'node:net';
import { gzipSync } from 'node:zlib';
import { type SignWebhookOptions, signWebhook } from 'nestjs-scalekit-webhooks/testing';
import { SECRET } from './secrets.js';

/** The bytes of a request, so that nothing but the application sees a polluted prototype. */
export function rawRequest(
  path: string,
  body: string | Buffer,
  headers: Readonly<Record<string, string>> = {},
): Buffer {
  const bytes = Buffer.from(body);
  const all = { host: 'x', connection: 'close', 'content-length': String(bytes.length), ...headers };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return Buffer.concat([Buffer.from(`POST /${path} HTTP/1.1\r\n${lines.join('')}\r\n`), bytes]);
}

export function rawDelivery(event: object, signing: Partial<SignWebhookOptions> = {}, headers = {}): Buffer {
  const payload = JSON.stringify(event);
  const body = 'content-encoding' in headers ? gzipSync(payload) : payload;
  const signature = signWebhook({ payload, secret: SECRET, ...signing });
  return rawRequest('webhooks/scalekit', body, {
    'content-type': 'application/json',
    ...signature,
    ...headers,
  });
}

/** Sends a request, and resolves to the status line and the body of the response. */
export function exchange(port: number, bytes: Buffer, patienceMs = 5000): Promise<string> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    const socket = connect(port, '127.0.0.1');
    const end = () => {
      clearTimeout(timer);
      socket.destroy();
      const [head = '', body = ''] = Buffer.concat(chunks).toString().split('\r\n\r\n');
      resolve(`${head.split('\r\n')[0]} ${body}`);
    };
    const timer = setTimeout(end, patienceMs);
    socket
      .on('data', (chunk) => chunks.push(chunk))
      .on('close', end)
      .on('error', end);
    socket.write(bytes);
  });
}
