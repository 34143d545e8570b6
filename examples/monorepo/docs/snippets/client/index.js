const answer = await fetch("http://localhost:3000/pricing/total?line=12.50x2");
console.log(await answer.json());
