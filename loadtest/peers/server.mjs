// Peers of the edge: the same work (a signed token at the connect, a fix checked and answered) on npm's `ws` and on Socket.IO.
//
// Started by `waystone-loadtest peers`; prints its process and port, serves until its standard input ends. Both are one
// process on one core, as Node is started by default, with compression off, as it is in Waystone.

import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";
import { Server as SocketIo } from "socket.io";
import { WebSocketServer } from "ws";

const secret = Buffer.from(process.env.PEER_SECRET, "hex");
const PING_MS = 25_000;
const MESSAGE_BYTES_MAX = 16_384;

/** Who a token speaks of; null if it is not ours or over. */
function playerOf(token) {
  const [head, body, signature] = String(token).split(".");
  const made = createHmac("sha256", secret).update(`${head}.${body}`).digest();
  const given = Buffer.from(signature ?? "", "base64url");
  if (given.length !== made.length || !timingSafeEqual(given, made)) return null;
  const claims = JSON.parse(Buffer.from(body, "base64url").toString());
  return claims.exp * 1000 > Date.now() ? claims.sub : null;
}

/** Takes a fix in: in range, and newer than the last. */
function take(session, fix) {
  const inRange = Math.abs(fix.lat) <= 90 && Math.abs(fix.lon) <= 180 && fix.acc >= 0 && fix.speed >= 0;
  if (!inRange || !(fix.seq > session.seq)) return { seq: fix.seq, accepted: 0 };
  session.seq = fix.seq;
  session.lat = fix.lat;
  session.lon = fix.lon;
  session.at = fix.t;
  return { seq: fix.seq, accepted: 1 };
}

function ws() {
  const options = { host: "127.0.0.1", port: 0, perMessageDeflate: false, maxPayload: MESSAGE_BYTES_MAX };
  const server = new WebSocketServer(options, () => ready(server.address().port));
  server.on("connection", (socket) => {
    const session = { player: null, seq: -1 };
    const ping = setInterval(() => socket.send("{}"), PING_MS);
    socket.on("close", () => clearInterval(ping));
    socket.on("error", () => socket.terminate());
    socket.on("message", (data) => {
      const command = JSON.parse(data);
      if (command.connect) {
        session.player = playerOf(command.connect.token);
        if (session.player === null) return socket.close(4401);
        return socket.send(JSON.stringify({ id: command.id, connect: { player: session.player } }));
      }
      if (command.rpc && session.player !== null) {
        const answer = take(session, command.rpc.data);
        return socket.send(JSON.stringify({ id: command.id, rpc: { data: answer } }));
      }
      // What is left is the answer to a ping.
    });
  });
}

function socketIo() {
  const http = createServer();
  const io = new SocketIo(http, {
    transports: ["websocket"],
    pingInterval: PING_MS,
    serveClient: false,
    maxHttpBufferSize: MESSAGE_BYTES_MAX,
  });
  io.use((socket, next) => {
    const player = playerOf(socket.handshake.auth.token);
    if (player === null) return next(new Error("unauthorized"));
    socket.data = { player, seq: -1 };
    next();
  });
  io.on("connection", (socket) => socket.on("fix", (fix, answer) => answer(take(socket.data, fix))));
  http.listen(0, "127.0.0.1", () => ready(http.address().port));
}

function ready(port) {
  console.log(`${process.pid} ${port}`);
}

process.stdin.on("end", () => process.exit(0)).resume();
({ ws, "socket.io": socketIo })[process.argv[2]]();
