/**
 * A real provider of identities for tests, on loopback: `node provider.mjs [--thin]`.
 *
 * Prints one line of JSON with its issuer. Anybody logs in by his name and any password; groups
 * are those of `GROUPS`. Clients are registered by `POST /test/client`, keys change by
 * `POST /test/rotate`, and `POST /test/sign` signs whatever it is told with the current key, so
 * that tokens which no provider would issue can be tried. With `--thin`, claims are not in ID
 * tokens but at the userinfo endpoint only. It ends with its standard input.
 */
import { createServer } from "node:http";
import { createHmac, createPublicKey } from "node:crypto";
import { SignJWT, exportJWK, generateKeyPair, importJWK } from "jose";
import { Provider } from "oidc-provider";

const GROUPS = {
  anna: ["platform"],
  ben: ["ml-research"],
  olga: ["ml-leads"],
  eve: ["strangers"],
};
const AUDIENCE = "urn:farthing:api";

const server = createServer();
await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
const issuer = `http://127.0.0.1:${server.address().port}`;

let clients = [];
let keys = [];
let callback;

async function newKey() {
  const { privateKey } = await generateKeyPair("RS256", { extractable: true });
  return {
    ...(await exportJWK(privateKey)),
    kid: `key-${Date.now()}-${keys.length}`,
    alg: "RS256",
  };
}

function claims(id) {
  return {
    sub: id,
    preferred_username: id,
    email: `${id}@example.org`,
    groups: GROUPS[id] ?? [],
  };
}

/** The provider has its clients and keys from its start: with new ones it is made anew. */
function start() {
  const provider = new Provider(issuer, {
    clients,
    jwks: { keys },
    cookies: { keys: ["only for tests"] },
    conformIdTokenClaims: process.argv.includes("--thin"),
    claims: {
      openid: ["sub"],
      profile: ["preferred_username"],
      email: ["email"],
      groups: ["groups"],
    },
    findAccount: (_, id) => ({ accountId: id, claims: () => claims(id) }),
    features: {
      devInteractions: { enabled: true },
      clientCredentials: { enabled: true },
      rpInitiatedLogout: { enabled: true },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (_, indicator) => ({
          scope: "api",
          audience: indicator,
          accessTokenFormat: "jwt",
          accessTokenTTL: 300,
        }),
      },
    },
    extraTokenClaims: (_, token) =>
      token.kind === "ClientCredentials" ? { groups: ["ml-research"] } : undefined,
    pkce: { required: () => true },
  });
  callback = provider.callback();
}

async function body(request) {
  let text = "";
  for await (const part of request) text += part;
  return text === "" ? {} : JSON.parse(text);
}

/** A token of the current key, or one that pretends: `{claims, head, how}`. */
async function sign({ claims: told = {}, head = {}, how = "key" }) {
  const now = Math.floor(Date.now() / 1000);
  const usual = { iss: issuer, aud: "farthing", iat: now, exp: now + 300, ...claims("anna") };
  const payload = Object.fromEntries(
    Object.entries({ ...usual, ...told }).filter(([, value]) => value !== null),
  );
  const key = keys[0];
  const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  if (how === "none") return `${part({ alg: "none" })}.${part(payload)}.`;
  if (how === "public") {
    const text = `${part({ alg: "HS256", kid: key.kid })}.${part(payload)}`;
    const pem = createPublicKey({ key, format: "jwk" }).export({ type: "spki", format: "pem" });
    return `${text}.${createHmac("sha256", pem).update(text).digest("base64url")}`;
  }
  const secret =
    how === "key" ? await importJWK(key, "RS256") : await importJWK(await newKey(), "RS256");
  return new SignJWT(payload)
    .setProtectedHeader({ alg: "RS256", kid: key.kid, ...head })
    .sign(secret);
}

const CONTROLS = {
  "/test/client": async (told) => {
    clients = [
      {
        client_id: "farthing",
        client_secret: "only for tests: +/",
        grant_types: ["authorization_code", "client_credentials"],
        scope: "openid profile email groups",
        ...told,
      },
      {
        client_id: "grafana",
        client_secret: "of another client",
        grant_types: ["client_credentials"],
        redirect_uris: [],
        response_types: [],
      },
    ];
    start();
    return { audience: AUDIENCE };
  },
  "/test/rotate": async () => {
    keys = [await newKey()];
    start();
    return { key: keys[0].kid };
  },
  "/test/sign": async (told) => ({ token: await sign(told) }),
};

keys = [await newKey()];
start();
server.on("request", (request, response) => {
  const control = CONTROLS[request.url];
  if (control === undefined) return callback(request, response);
  body(request)
    .then(control)
    .then(
      (answer) => response.end(JSON.stringify(answer)),
      (error) => {
        response.statusCode = 500;
        response.end(String(error));
      },
    );
});
console.log(JSON.stringify({ issuer }));
process.stdin.on("end", () => process.exit(0)).resume();
