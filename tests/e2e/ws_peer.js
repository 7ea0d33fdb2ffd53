// The other side of tests/e2e/ws_peer.c, by somebody else's WebSocket library. Not ours: npm's `ws`.
//
//	node ws_peer.js serve [CERT KEY]	prints its port; with TLS
//	node ws_peer.js talk URL NAME	plays with `ws_peer serve`; TAP lines
'use strict';
const { WebSocket, WebSocketServer } = require('ws');
const assert = require('assert');
const fs = require('fs');
const http = require('http');
const https = require('https');

function serve() {
	let last = '';
	const [, , , cert, key] = process.argv;
	const web = cert ? https.createServer({ cert: fs.readFileSync(cert), key: fs.readFileSync(key) }) : http.createServer();
	const server = new WebSocketServer({
		server: web, maxPayload: 16 << 20, perMessageDeflate: true,
		verifyClient: (info, done) => info.req.url.endsWith('/refuse') ? done(false, 401) : done(true),
		handleProtocols: (names) => names.has('chat.v2') ? 'chat.v2' : false,
	});
	web.listen(0, '127.0.0.1', () => console.log('port ' + web.address().port));
	server.on('connection', (ws) => {
		ws.on('close', (code, reason) => { last = code === 1006 ? last : code + ' ' + reason; });
		ws.on('error', (error) => { last = 'error ' + error.message; });
		ws.on('message', (data, binary) => {
			const text = binary || data.length > 64 ? '' : data.toString();
			if (text === 'fragment') {
				const bytes = Buffer.from('grüß dich');
				ws.send(bytes.subarray(0, 3), { fin: false, binary: false });
				ws.ping();
				ws.send(bytes.subarray(3, 3), { fin: false, binary: false });
				ws.send(bytes.subarray(3), { fin: true, binary: false });
			} else if (text === 'ping') {
				ws.once('pong', (payload) => ws.send('pong ' + payload));
				ws.ping('hello');
			} else if (text === 'flood') {
				for (let i = 0; i < 300; i++) {
					ws.send(Buffer.alloc(20000 + i));
				}
			} else if (text === 'last end') {
				ws.send(last);
			} else if (text === 'drop') {
				ws.terminate();
			} else if (text === 'close none') {
				ws.close();
			} else if (text.startsWith('close ')) {
				const [, code, reason] = text.split(' ');
				ws.close(Number(code), reason);
			} else {
				ws.send(data, { binary });
			}
		});
	});
}

let told = 0;
async function check(what, fn) {
	try {
		await fn();
		console.log(`ok ${++told} - ${what}`);
	} catch (error) {
		console.log(`not ok ${++told} - ${what}\n# ${error.message}`);
	}
}

const event = (emitter, name) => new Promise((resolve, reject) => {
	emitter.once(name, (...args) => resolve(args));
	if (name !== 'error') {
		emitter.once('error', reject);
	}
});

async function open(url, ...more) {
	const ws = new WebSocket(url, ...more);
	await event(ws, 'open');
	return ws;
}

async function echo(ws, data, options) {
	ws.send(data, options);
	const [back, binary] = await event(ws, 'message');
	assert.strictEqual(binary, typeof data !== 'string');
	assert(Buffer.from(data).equals(back), 'another message came back');
}

async function talk(url, backend) {
	const named = (what, fn) => check(`${backend}: ${what}`, fn);
	const ws = await open(url, ['chat.v1', 'chat.v2']);
	await named('a subprotocol is agreed on', () => assert.strictEqual(ws.protocol, 'chat.v2'));
	await named('no extension is agreed on', () => assert.strictEqual(ws.extensions, ''));
	await named('a text comes back', () => echo(ws, 'grüß dich'));
	await named('nothing comes back', () => echo(ws, ''));
	await named('bytes come back', () => echo(ws, Buffer.from([0, 1, 255])));
	await named('two megabytes come back', () => echo(ws, Buffer.alloc(2 << 20, 'abcdefg')));
	await named('fragments come back as one', async () => {
		const bytes = Buffer.from('grüß dich');
		ws.send(bytes.subarray(0, 3), { fin: false, binary: false });
		ws.ping('between');
		const pong = event(ws, 'pong');
		const whole = event(ws, 'message');
		ws.send(bytes.subarray(3), { fin: true, binary: false });
		assert.strictEqual((await pong)[0].toString(), 'between');
		assert.strictEqual((await whole)[0].toString(), 'grüß dich');
	});
	await named('three hundred at once come back in order', async () => {
		let heard = 0;
		const all = new Promise((resolve, reject) => ws.on('message', (data) => {
			if (data.toString() !== '' + heard++) {
				reject(new Error(`${data} instead of ${heard - 1}`));
			}
			if (heard === 300) {
				resolve();
			}
		}));
		for (let i = 0; i < 300; i++) {
			ws.send('' + i);
		}
		await all;
		ws.removeAllListeners('message');
	});
	await named('its close has code and reason', async () => {
		ws.send('close 3456 go away');
		const [code, reason] = await event(ws, 'close');
		assert.strictEqual(code + ' ' + reason, '3456 go away');
	});
	await named('ours is answered', async () => {
		const other = await open(url);
		other.close(4000, 'ours');
		assert.strictEqual((await event(other, 'close'))[0], 4000);
	});
	await named('too long a message closes with 1009', async () => {
		const other = await open(url);
		other.send(Buffer.alloc(9 << 20), () => {});
		assert.strictEqual((await event(other, 'close'))[0], 1009);
	});
	await named('a refusal has its status', async () => {
		const [, response] = await event(new WebSocket(url + '/refuse'), 'unexpected-response');
		assert.strictEqual(response.statusCode, 401);
	});
	await named('it goes when it is asked to', async () => {
		const other = await open(url);
		other.send('quit');
		assert.strictEqual((await event(other, 'close'))[0], 1000);
	});
}

if (process.argv[2] === 'serve') {
	serve();
} else {
	talk(process.argv[3], process.argv[4]);
}
