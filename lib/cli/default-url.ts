/** Where an application listens that was set up as the README says. */
export const DEFAULT_URL = 'http://localhost:3000/webhooks/scalekit';
