// How Node reads streams of requests, for test_parsers.py: a line of JSON for each connection that has ended.
import http from "node:http";

const server = http.createServer({ maxHeaderSize: 65536, requestTimeout: 0, headersTimeout: 0, keepAliveTimeout: 5000 });
server.maxHeadersCount = 0;
server.httpAllowHalfOpen = true; // what came before the client's end is answered
server.on("connection", (socket) => {
  socket.seen = { port: socket.remotePort, requests: [], error: null };
  socket.on("error", () => {});
  socket.on("close", () => console.log(JSON.stringify(socket.seen)));
});
function take(request, response) {
  const body = [];
  request.on("data", (some) => body.push(some));
  request.on("error", () => {});
  request.on("end", () => {
    request.socket.seen.requests.push([
      request.method, request.url, request.headers.host ?? "", Buffer.concat(body).toString("hex")]);
    response.setHeader("Content-Length", 0);
    response.end();
  });
}
server.on("request", take);
server.on("checkExpectation", take);
server.on("connect", (request, socket) => {
  socket.seen.error = "CONNECT";
  socket.destroy();
});
server.on("clientError", (error, socket) => {
  socket.seen.error ??= error.code ?? String(error);
  socket.destroy();
});
server.listen(0, "127.0.0.1", () => console.log(`port ${server.address().port}`));
