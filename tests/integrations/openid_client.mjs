// A site that signs people in with npm's openid-client. It prints where to send the browser, reads
// where that came back to, and prints what it learned, as JSON lines.
import { createInterface } from "node:readline";
import * as client from "openid-client";

const [issuer, clientId, secret, redirectUri] = process.argv.slice(2);
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const say = (value) => console.log(JSON.stringify(value));

const config = await client.discovery(
  new URL(issuer), clientId, secret, undefined, { execute: [client.allowInsecureRequests] },
);
const verifier = client.randomPKCECodeVerifier();
const state = client.randomState();
const nonce = client.randomNonce();
say(client.buildAuthorizationUrl(config, {
  redirect_uri: redirectUri,
  scope: "openid profile email access offline_access",
  code_challenge: await client.calculatePKCECodeChallenge(verifier),
  code_challenge_method: "S256",
  state,
  nonce,
}).href);

const back = new URL((await lines.next()).value);
const checks = { pkceCodeVerifier: verifier, expectedState: state, expectedNonce: nonce, idTokenExpected: true };
const refused = {};
const wrong = {
  state: [back, { ...checks, expectedState: "another" }],
  issuer: [new URL(back.href.replace(/iss=[^&]+/, "iss=https%3A%2F%2Fother.example")), checks],
};
for (const [name, [address, expected]] of Object.entries(wrong)) {
  await client.authorizationCodeGrant(config, address, expected).catch((error) => (refused[name] = error.code));
}
const tokens = await client.authorizationCodeGrant(config, back, checks);
const claims = tokens.claims();
const userinfo = await client.fetchUserInfo(config, tokens.access_token, claims.sub);
const introspected = await client.tokenIntrospection(config, tokens.access_token);
const renewed = await client.refreshTokenGrant(config, tokens.refresh_token);
await client.refreshTokenGrant(config, tokens.refresh_token).catch((error) => (refused.replay = error.error));
await client.tokenRevocation(config, renewed.access_token);
const after = await client.tokenIntrospection(config, renewed.access_token);
say({
  claims,
  userinfo,
  introspected,
  renewed: renewed.claims().sub,
  after,
  refused,
  logout: client.buildEndSessionUrl(config, {
    id_token_hint: tokens.id_token, post_logout_redirect_uri: redirectUri, state: "bye",
  }).href,
});
process.exit(0);
