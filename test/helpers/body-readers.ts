import { PassThrough, type Readable } from 'node:stream';
import { text } from 'node:stream/consumers';

/** Ways to read a request to its end. Each returns what it read. */
export const BODY_READERS: readonly (readonly [how: string, read: (stream: Readable) => Promise<string>])[] =
  [
    ["waits for 'end'", waitForEnd],
    ['iterates over it', text],
    ['pipes it', (stream) => text(stream.pipe(new PassThrough()))],
    ["reads it on 'readable'", readOnReadable],
  ];

function waitForEnd(stream: Readable): Promise<string> {
  return new Promise((resolve) => {
    let body = '';
    stream.on('data', (chunk) => {
      body += chunk;
    });
    stream.on('end', () => resolve(body));
  });
}

function readOnReadable(stream: Readable): Promise<string> {
  return new Promise((resolve) => {
    let body = '';
    stream.setEncoding('utf8');
    stream.on('readable', () => {
      for (let chunk = stream.read(); chunk !== null; chunk = stream.read()) body += chunk;
    });
    stream.on('end', () => resolve(body));
  });
}
