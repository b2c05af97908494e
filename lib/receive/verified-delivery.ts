import { attach, attached } from './attachment.js';

/** A delivery whose signature holds. */
export interface VerifiedDelivery {
  readonly bytes: Buffer;
  readonly receivedAt: Date;
  /** Undefined where the signature scheme has none. */
  readonly deliveryId: string | undefined;
}

const VERIFIED = Symbol('verified delivery');

/** Hands a verified delivery from the guard to the controller. */
export function rememberDelivery(request: object, delivery: VerifiedDelivery): void {
  attach(request, VERIFIED, delivery);
}

/** The delivery that the guard let pass; there is none for a request that the guard never saw. */
export function verifiedDelivery(request: object): VerifiedDelivery | undefined {
  return attached(request, VERIFIED);
}
