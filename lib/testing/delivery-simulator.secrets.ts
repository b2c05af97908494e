import { type SignWebhookOptions, signWebhook } from '../verify/sign-webhook.js';
import type { SignatureScheme } from '../verify/signature-headers.js';
import { parseSigningSecret, type SigningSecret } from '../verify/signing-secret.js';

/** A signing secret, and the part of a simulation in which it is used; shares of the first deliveries, from 0 to 1. */
export interface SimulatedSecret {
  readonly secret: string;
  /**
   * From which share of the deliveries it is used.
   * @default 0
   */
  readonly from?: number;
  /**
   * Up to which share of the deliveries it is used. While several are, each delivery carries a signature of each.
   * @default 1
   */
  readonly until?: number;
}

/** The secrets of a simulation over its course. */
export class SimulatedSecrets {
  readonly #secrets: readonly {
    readonly key: SigningSecret;
    readonly from: number;
    readonly until: number;
  }[];

  constructor(secrets: string | readonly SimulatedSecret[]) {
    const listed = typeof secrets === 'string' ? [{ secret: secrets }] : secrets;
    this.#secrets = listed.map(({ secret, from = 0, until = 1 }: SimulatedSecret) => ({
      key: parseSigningSecret(secret),
      from,
      until,
    }));
  }

  /** Whether there is one to sign with at every moment. */
  get areComplete(): boolean {
    return [0, ...this.#secrets.map(({ until }) => until)].every((share) => this.#at(share).length > 0);
  }

  /** The signature headers of a delivery that is sent at this share of the simulation. */
  sign(share: number, signing: Omit<SignWebhookOptions, 'secret'> & { scheme: SignatureScheme }) {
    const [first, ...others] = this.#at(share).map((secret) => signWebhook({ ...signing, secret }));
    const name = signing.scheme === 'scalekit' ? 'scalekit-signature' : 'webhook-signature';
    // The scalekit header begins with the time, which all signatures share.
    const further = others.map((headers) => headers[name]?.replace(/^t=\d+,/, '') ?? '');
    const separator = signing.scheme === 'scalekit' ? ',' : ' ';
    return { ...first, [name]: [first?.[name], ...further].join(separator) };
  }

  #at(share: number): SigningSecret[] {
    const inUse = this.#secrets.filter(
      ({ from, until }) => from <= share && (share < until || (share >= 1 && until >= 1)),
    );
    return inUse.map(({ key }) => key);
  }
}
