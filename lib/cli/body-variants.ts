/** A body that differs from the one given in a way that editors, shells and body parsers are known for. */
export interface BodyVariant {
  readonly name: string;
  readonly body: string;
}

/** The usual accidents. Bytes that are not UTF-8 have none: they would not survive as text. */
export function bodyVariants(bytes: Uint8Array): readonly BodyVariant[] {
  const body = decode(bytes);
  if (body === undefined) return [];
  const variants = [
    { name: 'the body without the newline at its end', body: body.replace(/\r?\n$/, '') },
    { name: 'the body with a newline at its end', body: `${body}\n` },
    { name: 'the body with LF instead of CRLF line ends', body: body.replaceAll('\r\n', '\n') },
    { name: 'the body with CRLF instead of LF line ends', body: body.replaceAll(/\r?\n/g, '\r\n') },
    { name: 'the body without its byte order mark', body: body.replace(/^\ufeff/, '') },
    ...jsonVariants(body),
    { name: 'the body without white space at its ends', body: body.trim() },
  ];
  return variants.filter((variant) => variant.body !== body);
}

/** JSON that was parsed and serialised again keeps its meaning, and loses its signature. */
function jsonVariants(body: string): BodyVariant[] {
  try {
    const value: unknown = JSON.parse(body);
    return [
      { name: 'the same JSON in compact form', body: JSON.stringify(value) },
      { name: 'the same JSON indented by 2', body: JSON.stringify(value, null, 2) },
      { name: 'the same JSON indented by 4', body: JSON.stringify(value, null, 4) },
    ];
  } catch {
    return [];
  }
}

function decode(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}
