import type { CapturedBytes } from './captured-body.js';

/** A delivery whose signature holds. */
export interface VerifiedDelivery {
  readonly body: CapturedBytes;
  /** Undefined where the signature scheme has none. */
  readonly deliveryId: string | undefined;
}

const VERIFIED = Symbol('verified delivery');
type Verified = object & { [VERIFIED]?: VerifiedDelivery };

/** Hands a verified delivery from the guard to the controller. */
export function rememberDelivery(request: Verified, delivery: VerifiedDelivery): void {
  request[VERIFIED] = delivery;
}

/** The delivery that the guard let pass; there is none for a request that the guard never saw. */
export function verifiedDelivery(request: Verified): VerifiedDelivery | undefined {
  return request[VERIFIED];
}
