import {
  checkOptions,
  describeValue,
  type OptionChecks,
  optional,
  refuseSetting,
} from '../errors/settings.js';
import { type SignWebhookOptions, signWebhook } from '../verify/signature.js';
import type { SignatureScheme } from '../verify/signature-headers.js';
import { parseSigningSecret, readSigningSecret, type SigningSecret } from '../verify/signing-secret.js';

/** A signing secret and when it is used, measured by the share of first deliveries that were sent, from 0 to 1. */
export interface SimulatedSecret {
  readonly secret: string;
  /**
   * Used from this share of the deliveries on.
   * @default 0
   */
  readonly from?: number;
  /**
   * Used up to this share of the deliveries. While several secrets are in use, each delivery is signed with all of them.
   * @default 1
   */
  readonly until?: number;
}

const CHECKS: OptionChecks<SimulatedSecret> = {
  secret: readSigningSecret,
  from: optional(requireShare),
  until: optional(requireShare),
};

/** Requires a signing secret, or a list of {@link SimulatedSecret}. */
export function requireSimulatedSecrets(setting: string, value: unknown): void {
  if (!Array.isArray(value)) readSigningSecret(setting, value);
  else for (const secret of value) checkOptions(secret, CHECKS, setting);
}

function requireShare(setting: string, value: unknown): void {
  if (Number.isFinite(value) && Number(value) >= 0 && Number(value) <= 1) return;
  refuseSetting(setting, `${setting} must be a number from 0 to 1, found ${describeValue(value)}.`);
}

type SimulatedSigning = Omit<SignWebhookOptions, 'secret'> & { readonly scheme: SignatureScheme };

/** The secrets in use during a simulation. */
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

  /** Whether at least one secret is in use at any time. */
  get areComplete(): boolean {
    return [0, ...this.#secrets.map(({ until }) => until)].every((share) => this.#at(share).length > 0);
  }

  /** The signature headers of a delivery that is sent at this share. */
  sign(share: number, signing: SimulatedSigning): Record<string, string> {
    const [first, ...others] = this.#at(share).map((secret) => signWebhook({ ...signing, secret }));
    const name = signing.scheme === 'scalekit' ? 'scalekit-signature' : 'webhook-signature';
    // A scalekit-signature header states its time once, before the signatures.
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
