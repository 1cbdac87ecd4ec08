// A certified OpenID Connect provider, on a free port of this machine, for one client: {id, secret, redirect}
// -> one line {issuer}. Whoever signs in as NAME is NAME@lab.example, verified, in the group "staff" if the
// name is "linus". Its pages to sign in and to consent are those that it has for development.
import { createServer } from "node:http";
import { json } from "node:stream/consumers";
import Provider from "oidc-provider";

const { id, secret, redirect } = await json(process.stdin);
const server = createServer().listen(0, "127.0.0.1", () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, {
    clients: [{ client_id: id, client_secret: secret, redirect_uris: [redirect] }],
    claims: { openid: ["sub"], email: ["email", "email_verified"], groups: ["groups"] },
    scopes: ["openid", "email", "groups"],
    pkce: { required: () => true },
    cookies: { keys: ["for a test"] },
    findAccount: (_, name) => ({
      accountId: name,
      claims: () => ({
        sub: name,
        email: `${name}@lab.example`,
        email_verified: true,
        groups: name === "linus" ? ["staff"] : [],
      }),
    }),
  });
  server.on("request", provider.callback());
  console.log(JSON.stringify({ issuer }));
});
