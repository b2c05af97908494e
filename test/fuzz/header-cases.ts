import { randomBody, signedDelivery, validDelivery } from './deliveries.js';
import { type Expected, type FuzzRequest, type Header, withHeaders } from './fuzz-request.js';
import type { Random } from './random.js';

export function headersDropped(random: Random): FuzzRequest {
  const request = validDelivery(random);
  const headers = request.headers.filter(() => random.chance(0.7));
  return { ...request, headers };
}

export function headerGarbled(random: Random): FuzzRequest {
  const request = validDelivery(random);
  const place = random.int(0, request.headers.length - 1);
  const headers = request.headers.map((header, index) =>
    index === place ? garbled(header, random) : header,
  );
  return { ...request, headers };
}

function garbled([name, value]: Header, random: Random): Header {
  const at = random.int(0, value.length);
  return random.pick<() => Header>([
    () => [name, ''],
    () => [name, random.text(random.int(1, 80))],
    () => [name, value.slice(0, at)],
    () => [name, `${value.slice(0, at)}${random.text(1)}${value.slice(at + 1)}`],
    () => [name, `${value.slice(0, at)}${String.fromCharCode(random.int(0x80, 0xff))}${value.slice(at)}`],
    () => [name, ` \t${value} `],
    () => [name, value.toUpperCase()],
    () => [name, value.toLowerCase()],
    () => [name, value.replace(/v1/, random.pick(['v0', 'v2', 'V1', 'v1a', 'v11']))],
    () => [name, value.replaceAll('=', '')],
    () => [name, `${value},`],
    () => [name, `${value}=`],
    () => [name, value.repeat(random.int(2, 20))],
    () => [name, `"${value}"`],
    () => [`${name}x`, value],
    () => [name.replaceAll('-', '_'), value],
  ])();
}

export function headerRepeated(random: Random): FuzzRequest {
  const request = validDelivery(random);
  const [name, value] = random.pick(request.headers);
  const again: Header = [name, random.pick([value, '', random.text(20), garbled([name, value], random)[1]])];
  return {
    ...request,
    headers: random.chance(0.5) ? [...request.headers, again] : [again, ...request.headers],
  };
}

export function unusualHeader(random: Random): FuzzRequest {
  const request = validDelivery(random);
  const unusual = random.pick<Header>([
    ['__proto__', 'x'],
    ['constructor', 'x'],
    ['x-forwarded-host', random.text(30)],
    ['x-http-method-override', 'GET'],
    ['cookie', random.text(2000)],
    ['authorization', 'Bearer x'],
    ['accept', 'text/html'],
    ['accept-version', '9.9.9'],
    ['range', 'bytes=0-1'],
    ['if-none-match', '*'],
    ['origin', 'null'],
    ['te', 'trailers'],
    ['transfer-encoding-x', 'chunked'],
    ['content-md5', random.text(5)],
  ]);
  return { ...request, headers: [unusual, ...request.headers] };
}

export function headersOfAnotherDelivery(random: Random): FuzzRequest {
  return { ...validDelivery(random), body: randomBody(random) };
}

/** Several signatures, as during a secret rotation. One valid signature is enough. */
export function severalSignatures(random: Random): [FuzzRequest, Expected] {
  const request = signedDelivery(random, randomBody(random), { id: 'msg_list' });
  const [good = ''] = request.headers.flatMap(([name, value]) =>
    name === 'Webhook-Signature' ? [value] : [],
  );
  const others = Array.from({ length: random.int(1, 60) }, () =>
    random.pick([
      () => `v1,${random.bytes(32).toString('base64')}`,
      () => `v1a,${random.bytes(64).toString('base64')}`,
      () => `v1,${random.bytes(random.int(0, 40)).toString('base64')}`,
      () => random.text(10),
    ])(),
  );
  const hasGood = random.chance(0.5);
  const list = hasGood ? [...others, good, 'v1,'] : others;
  return [withHeaders(request, ['Webhook-Signature', list.join(' ')]), hasGood ? 'accepted' : 401];
}
