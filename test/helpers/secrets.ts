/** A made-up signing secret. */
export const SECRET = secretOf(7);

/** Another one, for deliveries that must be rejected, and for rotation. */
export const OTHER_SECRET = secretOf(8);

function secretOf(byte: number): string {
  return `whsec_${Buffer.alloc(32, byte).toString('base64')}`;
}
