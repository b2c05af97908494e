/** What every error of this library is: it carries a stable `code` that programs may branch on. */
export abstract class ScalekitWebhooksError extends Error {
  abstract readonly code: string;

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
  }
}
