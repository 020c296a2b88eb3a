"""ST-MoE-BERT: a BERT encoder over past and masked future rows, with a mixture of experts.

After He, Luo, Wang: "ST-MoE-BERT: A Spatial-Temporal Mixture-of-Experts Framework for Long-Term
Cross-City Mobility Prediction", HuMob-Challenge '24, arXiv 2410.14099.
"""
