/** A delivery whose signature holds. */
export interface VerifiedDelivery {
  readonly bytes: Buffer;
  readonly receivedAt: Date;
  /** Undefined where the signature scheme has none. */
  readonly deliveryId: string | undefined;
}

const VERIFIED = new WeakMap<object, VerifiedDelivery>();

/** Hands a verified delivery from the guard to the controller. */
export function rememberDelivery(request: object, delivery: VerifiedDelivery): void {
  VERIFIED.set(request, delivery);
}

/** The delivery that the guard let pass; there is none for a request that the guard never saw. */
export function verifiedDelivery(request: object): VerifiedDelivery | undefined {
  return VERIFIED.get(request);
}
